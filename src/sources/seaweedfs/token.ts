/**
 * Read tokens (JWT, HS256): one per file id for volume servers, one for the filer.
 *
 * A token is signed for each request; nothing secret is kept but the imported key. Clocks differ: when a server refuses
 * a fresh token, its `Date` corrects ours for the tokens that follow.
 */
import { SignJWT } from "jose";

/** Long enough for a queue before the request, as SeaweedFS's own readers have it. Expiry never cuts a running body. */
const lifetimeSeconds = 60;
/** Differences below this are the network's, not the clock's. */
const skewToleranceMs = 2_000;

/** Signs read tokens with one secret. Holds no I/O object; safe to keep for the isolate's life. */
export interface TokenSigner {
  /** For a volume server: opens exactly this file id. */
  forFile(fid: string): Promise<string>;
  /** For the filer: opens every path, for reading. */
  forFiler(): Promise<string>;
  /** A server refused a token: takes its clock into account. @returns true when the next token will differ */
  refused(headers: Headers): boolean;
}

/** @param secret The cluster's read key (`jwt.signing.read.key` or `jwt.filer_signing.read.key`) */
export function createTokenSigner(secret: string, now: () => number = Date.now): TokenSigner {
  const key = new TextEncoder().encode(secret);
  let skewMs = 0;
  const sign = (claims: Record<string, unknown>) => {
    const seconds = Math.floor((now() + skewMs) / 1000);
    return new SignJWT(claims)
      .setProtectedHeader({ alg: "HS256", typ: "JWT" })
      .setExpirationTime(seconds + lifetimeSeconds)
      .sign(key);
  };
  return {
    forFile: (fid) => sign({ fid }),
    forFiler: () => sign({}),
    refused(headers) {
      const theirs = Date.parse(headers.get("date") ?? "");
      if (Number.isNaN(theirs)) return false;
      const skew = theirs - now();
      if (Math.abs(skew - skewMs) < skewToleranceMs) return false;
      skewMs = skew;
      return true;
    },
  };
}

/** When a token ends, ms since the epoch, without checking its signature; `undefined` where it does not say. */
export function tokenExpiry(token: string): number | undefined {
  try {
    const payload = token.split(".")[1] ?? "";
    const text = atob(payload.replaceAll("-", "+").replaceAll("_", "/"));
    const exp = (JSON.parse(text) as { exp?: unknown }).exp;
    return typeof exp === "number" ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}
