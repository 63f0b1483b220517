/**
 * Read tokens (JWT, HS256): one per file id for volume servers, one for the filer.
 *
 * A token is signed for each request; nothing secret is kept but the imported key. Clocks differ: when a server refuses
 * a fresh token, its `Date` corrects ours for the tokens that follow, within bounds: who answers may be anybody, and a
 * date far ahead would make tokens that live as long. Several may be refused at once: one corrects the clock, and all of
 * them are worth another try.
 */
import { SignJWT } from "jose";

/** Long enough for a queue before the request, as SeaweedFS's own readers have it. Expiry never cuts a running body. */
const lifetimeSeconds = 60;
/** Differences below this are the network's, not the clock's. */
const skewToleranceMs = 2_000;
/** A clock set to the time of another zone is believed, another year is not: a token lives no longer than this. */
const mostSkewMs = 24 * 3_600_000;

/** Signs read tokens with one secret. Holds no I/O object; safe to keep for the isolate's life. */
export interface TokenSigner {
  /** For a volume server: opens exactly this file id. */
  forFile(fid: string): Promise<string>;
  /** For the filer: opens every path, for reading. */
  forFiler(): Promise<string>;
  /**
   * A server refused a token: takes its clock into account.
   *
   * @param headers The refusal's
   * @param authorization What was refused, as it was sent
   * @returns true when the next token will differ by more than the moment that has passed
   */
  refused(headers: Headers, authorization: string | undefined): boolean;
}

/** What one server wants to see before it answers. */
export interface Pass {
  /** For the `Authorization` header of the next request; `undefined` where none is known. */
  authorization(): Promise<string | undefined>;
  /** See {@link TokenSigner.refused}; false for what was not signed here. */
  refused(headers: Headers, authorization: string | undefined): boolean;
}

export function filePass(signer: TokenSigner, fid: string): Pass {
  return signedPass(signer, () => signer.forFile(fid));
}

export function filerPass(signer: TokenSigner | undefined): Pass {
  return signer === undefined ? fixedPass(undefined) : signedPass(signer, () => signer.forFiler());
}

/** A token that somebody else has signed. */
export function fixedPass(token: string | undefined): Pass {
  return {
    authorization: () => Promise.resolve(token === undefined ? undefined : bearer(token)),
    refused: () => false,
  };
}

function signedPass(signer: TokenSigner, sign: () => Promise<string>): Pass {
  return {
    authorization: async () => bearer(await sign()),
    refused: (headers, authorization) => signer.refused(headers, authorization),
  };
}

/** A request's headers with what opens the server, where something does. */
export async function credentials(pass: Pass): Promise<Record<string, string>> {
  const authorization = await pass.authorization();
  return authorization === undefined ? {} : { authorization };
}

/** Asks with what opens the server; once more, by the server's clock, where ours was wrong. */
export async function askWithPass<A extends Pick<Response, "status" | "headers">>(
  pass: Pass,
  ask: (opening: Record<string, string>) => Promise<A>,
  drop: (refusal: A) => void = () => {},
): Promise<A> {
  const opening = await credentials(pass);
  const answer = await ask(opening);
  if (answer.status !== 401 || !pass.refused(answer.headers, opening["authorization"]))
    return answer;
  drop(answer);
  return ask(await credentials(pass));
}

function bearer(token: string): string {
  return `Bearer ${token}`;
}

/** @param secret The cluster's read key (`jwt.signing.read.key` or `jwt.filer_signing.read.key`) */
export function createTokenSigner(secret: string, now: () => number): TokenSigner {
  const key = new TextEncoder().encode(secret);
  let skewMs = 0;
  const expirySeconds = () => Math.floor((now() + skewMs) / 1000) + lifetimeSeconds;
  const sign = (claims: Record<string, unknown>) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: "HS256", typ: "JWT" })
      .setExpirationTime(expirySeconds())
      .sign(key);
  return {
    forFile: (fid) => sign({ fid }),
    forFiler: () => sign({}),
    refused(headers, authorization) {
      const skew = Date.parse(headers.get("date") ?? "") - now();
      if (Math.abs(skew) <= mostSkewMs && Math.abs(skew - skewMs) >= skewToleranceMs) skewMs = skew;
      // Judged by the token, not by whether the clock was corrected just now: another refusal may have done that.
      const ended = tokenExpiry(authorization ?? "");
      return ended !== undefined && Math.abs(expirySeconds() * 1000 - ended) >= skewToleranceMs;
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
