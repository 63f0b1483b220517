/** What workerd adds to fetch's options and Node ignores: for checking `src` under Node's types. */
import "undici-types";

declare module "undici-types" {
  interface ResponseInit {
    /** "manual" passes a stored Content-Encoding on untouched. */
    encodeBody?: "automatic" | "manual";
  }
  interface RequestInit {
    /** "manual" hands a body over as it came. */
    encodeResponseBody?: "automatic" | "manual";
  }
}
