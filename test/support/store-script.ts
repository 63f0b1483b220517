/**
 * The script of a fake HTTP store as plain data: what it holds, how it behaves, what goes wrong with which request. A
 * property test can generate all of it; JSON can carry it (but for literal bytes).
 */
import type { Content } from "./object-bytes.ts";

/** One object and the habits of its origin. */
export interface StoredObject {
  readonly content: Content;
  readonly size: number;
  /** As on the wire. Default: a strong tag of its own for every version stored. `null`: none. */
  readonly etag?: string | null | undefined;
  /** Milliseconds since the epoch. Default: 2026-01-01. `null`: none. */
  readonly lastModified?: number | null | undefined;
  /** Lower-case headers of every answer with the object. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** False: Range is ignored. Default true. */
  readonly ranges?: boolean | undefined;
  /** False: no Content-Length, and a star for the size in Content-Range. `star`: the star alone. Default true. */
  readonly lengths?: boolean | "star" | undefined;
  /** False: If-Match and the like are ignored, as many dynamic origins do. Default true. */
  readonly conditions?: boolean | undefined;
  /** Content-Length of every HEAD, where the origin does not know it before it makes the body. */
  readonly headLength?: number | undefined;
  /** Status of every HEAD, where the origin refuses it. */
  readonly headStatus?: number | undefined;
}

/** What goes wrong with one request. `after` counts body bytes. */
export type Fault =
  /** Another status, with an empty problem body. */
  | {
      readonly kind: "status";
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** 200 and the whole object. */
  | { readonly kind: "ignore-range" }
  /** A 206 that names and carries another stretch, moved by `shift` bytes (clipped into the object). */
  | { readonly kind: "wrong-range"; readonly shift: number }
  /** A 206 without Content-Range. */
  | { readonly kind: "no-content-range" }
  /** Headers promise all, the body ends cleanly `bytes` early (no Content-Length to show it). */
  | { readonly kind: "short"; readonly bytes: number }
  /** The body goes on for `bytes` more than promised (no Content-Length). */
  | { readonly kind: "long"; readonly bytes: number }
  /** From this request on the object is another version: new tag, new bytes, same size. */
  | { readonly kind: "changed" }
  /** The body arrives gzip-encoded though identity was asked for. */
  | { readonly kind: "gzip" }
  | { readonly kind: "multipart" }
  /** The connection is reset: before headers, after so many bytes, or before the last byte. */
  | { readonly kind: "reset"; readonly after: number | "before-headers" | "last-byte" }
  /** Nothing more comes, until the client goes. */
  | { readonly kind: "stall"; readonly after: number | "before-headers" }
  | { readonly kind: "trickle"; readonly bytes: number; readonly everyMs: number }
  | { readonly kind: "late-headers"; readonly ms: number };

/** A fault and the GET it strikes: the `at`-th of the space, from 0. */
export interface ScriptedFault {
  readonly at: number;
  readonly fault: Fault;
}

export interface SpaceScript {
  readonly objects?: Readonly<Record<string, StoredObject>> | undefined;
  readonly faults?: readonly ScriptedFault[] | undefined;
  /** Before the headers of every answer. Default 0: no timer at all. */
  readonly latencyMs?: number | undefined;
  /** Of each response. Default: unlimited. Servers only. */
  readonly bytesPerSecond?: number | undefined;
  /** Requests that may wait for headers at once; the next one queues, as the seventh does in production. */
  readonly unansweredPlaces?: number | undefined;
  /** Sizes of the blocks a body comes in, over and over. In-process store only. Default 64 KiB. */
  readonly blockBytes?: readonly number[] | undefined;
}
