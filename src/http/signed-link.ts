/**
 * Signed links: URLs that open a private mount for a while, for people without an S3 client.
 *
 *     https://edge.example/films/a.mp4?edge-expires=1790000000&edge-signature=...
 *     https://edge.example/films/2026/b.mp4?edge-expires=1790000000&edge-scope=/films/2026/&edge-signature=...
 *
 * HMAC-SHA256 over a version line, the expiry, and the path with the rest of the query (or, for a folder, the prefix that
 * the path must start with). The host is not signed: a deployment is told from another by its secret. Links can be
 * used again until they expire, and cannot be taken back but by changing the secret; several secrets verify at once, so
 * that one can be changed without breaking links that are out.
 */
import { base64url } from "jose";
import { ReadaheadError } from "../errors.ts";
import type { Authorise } from "./mount.ts";

const expiresName = "edge-expires";
const scopeName = "edge-scope";
const signatureName = "edge-signature";
const ownNames: readonly string[] = [expiresName, scopeName, signatureName];

/** Half of SHA-256's block: what guessing should cost at least. A random secret of 32 characters has it. */
const shortestSecret = 32;
/** As with presigned S3 URLs: seven days. */
const longestSeconds = 7 * 24 * 60 * 60;

const encoder = new TextEncoder();

/** Options of {@link signLink}; every field is optional. */
export interface SignLinkOptions {
  /** Seconds from now, 1 to 604,800. Default 3,600. */
  readonly seconds?: number | undefined;
  /** Path prefix as spelled in URLs, ending with a slash, that the link opens instead of its one path. Must be a prefix of it. */
  readonly scope?: string | undefined;
  /** Milliseconds since the epoch. Default `Date.now()`. */
  readonly now?: number | undefined;
}

/**
 * Signs a URL of a mount. The URL's own query is signed too, and stays.
 *
 * @param url Absolute, http or https; of the object, or any object below the scope
 * @param secret At least 32 characters; the same text as the mount's `link_secret`
 * @throws RangeError for a secret too short, a time out of bounds, or a scope that the URL is not in
 * @throws TypeError for what is no absolute URL of http or https, or signed already, and for a secret that is not set
 * @example
 * const link = await signLink("https://edge.example/films/a.mp4", secret, { seconds: 600 });
 */
export async function signLink(
  url: string | URL,
  secret: string,
  options: SignLinkOptions = {},
): Promise<string> {
  const seconds = options.seconds ?? 3600;
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > longestSeconds)
    throw new RangeError(`A link holds 1 to ${longestSeconds} seconds, not ${seconds}`);
  checkSecret(secret);
  const signed = URL.parse(String(url));
  if (signed === null || !/^https?:$/.test(signed.protocol))
    throw new TypeError("A URL is signed whole, as in https://edge.example/files/a");
  if (ownNames.some((name) => signed.searchParams.has(name)))
    throw new TypeError("The URL is a signed link already");
  const { scope } = options;
  const expires = Math.floor((options.now ?? Date.now()) / 1000) + seconds;
  const claim = claimText(signed, String(expires), scope);
  if (scope !== undefined && !inScope(signed, scope))
    throw new RangeError(
      "The URL's path is not in the scope, or the scope does not end with a slash",
    );
  const own = [`${expiresName}=${expires}`];
  if (scope !== undefined) own.push(`${scopeName}=${encodeURIComponent(scope)}`);
  const signature = await crypto.subtle.sign("HMAC", await importSecret(secret), claim);
  own.push(`${signatureName}=${base64url.encode(new Uint8Array(signature))}`);
  signed.search = [signed.search.slice(1), ...own].filter((text) => text !== "").join("&");
  return signed.href;
}

/** Why a link does not open, for the log; a client is only told "denied". `undefined`: it opens. */
export type LinkFault = "unsigned" | "malformed" | "expired" | "out of scope" | "wrong signature";

/** Verifies links with a set of secrets, in constant time each. Keys are derived once. */
export class LinkVerifier {
  readonly #secrets: readonly string[];
  readonly #keys = new Map<string, Awaited<ReturnType<typeof importSecret>>>();

  /**
   * @throws TypeError for what is no list of texts: a secret that is not set is `undefined`
   * @throws RangeError for a secret of fewer than 32 characters, and for none at all
   */
  constructor(secrets: readonly string[]) {
    if (!Array.isArray(secrets)) throw new TypeError("Link secrets are a list");
    if (secrets.length === 0) throw new RangeError("Signed links need a secret");
    for (const secret of secrets) checkSecret(secret);
    this.#secrets = secrets;
  }

  /** @param now Milliseconds since the epoch */
  async verify(url: URL, now: number): Promise<LinkFault | undefined> {
    const query = url.searchParams;
    if (!query.has(signatureName)) return "unsigned";
    if (ownNames.some((name) => query.getAll(name).length > 1)) return "malformed";
    const expires = query.get(expiresName) ?? "";
    const signature = parseSignature(query.get(signatureName) ?? "");
    const scope = query.get(scopeName) ?? undefined;
    const claim = claimText(url, expires, scope);
    if (!/^\d{1,12}$/.test(expires) || signature === undefined) return "malformed";
    let holds = false;
    for (const secret of this.#secrets) {
      const same = await crypto.subtle.verify("HMAC", await this.#key(secret), signature, claim);
      holds = holds || same;
    }
    if (!holds) return "wrong signature";
    if (scope !== undefined && !inScope(url, scope)) return "out of scope";
    return now >= Number(expires) * 1000 ? "expired" : undefined;
  }

  async #key(secret: string): Promise<Awaited<ReturnType<typeof importSecret>>> {
    const known = this.#keys.get(secret);
    if (known !== undefined) return known;
    const key = await importSecret(secret);
    this.#keys.set(secret, key);
    return key;
  }
}

/**
 * An {@link Authorise} for a mount that opens to signed links alone: any other request is `denied`, whatever is wrong
 * with its link. Asks nobody; keeps the derived keys.
 *
 * @param secrets One or more of at least 32 characters; a link may be signed with any of them
 * @param now Milliseconds since the epoch
 * @throws TypeError, RangeError as {@link LinkVerifier} does
 */
export function createLinkAuthorise(
  secrets: readonly string[],
  now: () => number = Date.now,
): Authorise {
  const verifier = new LinkVerifier(secrets);
  return async ({ url }) => {
    const fault = await verifier.verify(url, now());
    return fault === undefined
      ? undefined
      : new ReadaheadError("denied", `Link is not valid: ${fault}`);
  };
}

/**
 * The signed text. Path and query count as they are spelled: `%2F` and `/`, `a=1&a=2` and `a=2&a=1` are two objects to
 * some stores, and browsers and download tools keep the spelling of a link. A folder's link opens whatever lies in the
 * folder, with any query.
 */
function claimText(url: URL, expires: string, scope: string | undefined): Uint8Array<ArrayBuffer> {
  const rest = url.search
    .slice(1)
    .split("&")
    .filter((pair) => !ownNames.includes(pair.split("=", 1)[0] ?? ""));
  const where =
    scope === undefined
      ? `path ${url.pathname}\nquery ${rest.join("&")}`
      : `scope ${scope}\nany query`;
  return new Uint8Array(encoder.encode(`edge-readahead link 1\n${expires}\n${where}`));
}

function checkSecret(secret: unknown): void {
  if (typeof secret !== "string") throw new TypeError("A link secret must be text; is it set?");
  if (secret.length < shortestSecret)
    throw new RangeError(`A link secret needs at least ${shortestSecret} characters`);
}

function inScope(url: URL, scope: string): boolean {
  return scope.startsWith("/") && scope.endsWith("/") && url.pathname.startsWith(scope);
}

async function importSecret(secret: string) {
  const bytes = new Uint8Array(encoder.encode(secret));
  return crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
    "verify",
  ]);
}

/** 32 bytes, or nothing. Only one spelling of a signature is taken: the last character carries two spare bits. */
function parseSignature(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[A-Za-z0-9_-]{43}$/.test(text)) return undefined;
  const bytes = new Uint8Array(base64url.decode(text));
  return base64url.encode(bytes) === text ? bytes : undefined;
}
