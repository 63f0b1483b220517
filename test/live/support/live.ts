/**
 * The real cluster that the live suite reads: its addresses and secrets from `SEAWEEDFS_*`, what it stores, and the
 * expectations that hold for every stored form. A test that the cluster cannot show is skipped, and says why.
 *
 * | variable | |
 * |---|---|
 * | SEAWEEDFS_FILER, SEAWEEDFS_MASTER | URLs; without the filer everything is skipped, without the master chunks come through the filer |
 * | SEAWEEDFS_FILER_KEY, SEAWEEDFS_VOLUME_KEY | read keys of the cluster (`jwt.filer_signing.read`, `jwt.signing.read`), where it has some |
 * | SEAWEEDFS_FILER_GRPC | `host:port` of the filer's gRPC; default: its HTTP port and 10000 |
 * | SEAWEEDFS_S3, SEAWEEDFS_S3_ACCESS_KEY, SEAWEEDFS_S3_SECRET_KEY | the S3 gateway |
 * | SEAWEEDFS_SSE_KEY, SEAWEEDFS_SSE_KEK, SEAWEEDFS_SSE_PASSPHRASE | its SSE-S3 secret: text, 64 hex digits, or what opens the key file; none where the key file lies open in the filer |
 * | SEAWEEDFS_WEED | the `weed` program, for what only its shell can do (erasure coding, moving a volume) |
 * | SEAWEEDFS_VOLUME_PIDS | `host:port=pid,...` of volume servers on this machine that may be stopped and killed |
 * | SEAWEEDFS_VOLUME_START | command that starts a killed volume server again; gets its `host:port` |
 */
import { expect, type TestContext } from "vitest";
import { encodePath } from "../../../src/sources/seaweedfs/name.ts";
import {
  createSeaweedfsSource,
  type SeaweedfsOptions,
} from "../../../src/sources/seaweedfs/source.ts";
import type { Facts, Source } from "../../../src/sources/source.ts";
import { createTestDownload } from "../../support/permits.ts";
import { signToken } from "../../support/seaweedfs/cluster.ts";
import { downloadKey } from "../../support/seaweedfs/download-object.ts";
import { customerKeyHeaders } from "../../support/seaweedfs/objects.ts";
import { MiB } from "../../support/units.ts";

const variables = process.env;

/** A variable's value; "" where it is not set. */
export function setting(name: string): string {
  return variables[`SEAWEEDFS_${name}`] ?? "";
}

export const filer = setting("FILER").replace(/\/$/, "");
export const master = setting("MASTER").replace(/\/$/, "");
/** Everything is stored below it, and removed with it. */
export const folder = `/edge-readahead-live/${Date.now().toString(36)}`;

/** Skips the running test and says what the cluster would need. */
export function skip(context: TestContext, why: string): never {
  console.log(`skipped: ${context.task.name}: ${why}`);
  context.skip(why);
}

/** A source over the cluster that remembers no metadata, with the secrets it was given. */
export function sourceOf(root: string, more: Partial<SeaweedfsOptions> = {}): Source {
  const secret = (name: string) => (setting(name) === "" ? undefined : setting(name));
  return createSeaweedfsSource({
    filer: `${filer}/`,
    master: master === "" ? undefined : `${master}/`,
    root,
    metadataTtlMs: 0,
    allowedHosts: "*",
    filerTokenSecret: secret("FILER_KEY"),
    volumeTokenSecret: secret("VOLUME_KEY"),
    sseKeySecret: secret("SSE_KEY"),
    sseKekSecret: secret("SSE_KEK"),
    sseKekPassphrase: secret("SSE_PASSPHRASE"),
    ...more,
  });
}

/** A request to the filer with its read token, where it wants one. */
export function askFiler(target: string, init: RequestInit = {}): Promise<Response> {
  const headers = { ...Object.fromEntries(new Headers(init.headers)), ...tokenOf("FILER_KEY", {}) };
  return fetch(filer + target, { ...init, headers });
}

/** A needle from its volume server, deleted or not, with its read token, where it wants one. */
export function askVolume(server: string, fid: string): Promise<Response> {
  const headers = tokenOf("VOLUME_KEY", { fid });
  return fetch(`http://${server}/${fid}?readDeleted=true`, { headers });
}

function tokenOf(name: string, claims: object): Record<string, string> {
  const key = setting(name);
  const exp = Math.floor(Date.now() / 1000) + 60;
  return key === "" ? {} : { authorization: `Bearer ${signToken({ exp, ...claims }, key)}` };
}

/** Stores an object over the filer's HTTP. @returns its key on a mount of the filer's root */
export async function put(
  name: string,
  body: Uint8Array,
  query = "",
  headers: Record<string, string> = {},
): Promise<string> {
  const path = `${folder}/${name}`;
  const init = { method: "PUT", body: new Uint8Array(body), headers };
  await (await ok(askFiler(`${encodePath(path)}${query}`, init))).arrayBuffer();
  return path.slice(1);
}

export async function removeAll(): Promise<void> {
  await (await askFiler(`${folder}?recursive=true`, { method: "DELETE" })).arrayBuffer();
}

/** One chunk of the filer's list, as far as tests look at it. */
export interface LiveChunk {
  readonly file_id: string;
  readonly offset?: number;
  readonly size: number;
  readonly cipher_key?: string;
  readonly is_compressed?: boolean;
  readonly is_chunk_manifest?: boolean;
  readonly sse_type?: number;
}

export interface LiveEntry {
  readonly FileSize: number;
  readonly Content: string | null;
  readonly HardLinkId: string | null;
  readonly chunks: readonly LiveChunk[];
}

/** What the filer says of a path. */
export async function entryOf(path: string): Promise<LiveEntry> {
  const answer = await ok(askFiler(`${encodePath(path)}?metadata=true`));
  const entry = (await answer.json()) as Omit<LiveEntry, "chunks"> & Partial<LiveEntry>;
  return { ...entry, chunks: entry.chunks ?? [] };
}

/** Volume servers of a chunk. */
export async function locationsOf(
  fid: string,
): Promise<readonly { readonly url: string; readonly dataCenter?: string }[]> {
  const answer = await ok(fetch(`${master}/dir/lookup?volumeId=${fid.split(",", 1)[0]}`));
  return ((await answer.json()) as { locations: { url: string; dataCenter?: string }[] }).locations;
}

export async function ok(response: Promise<Response>): Promise<Response> {
  const answer = await response;
  if (!answer.ok) throw new Error(`${answer.url}: ${answer.status} ${await answer.text()}`);
  return answer;
}

export async function factsOf(source: Source, key: string, version?: string): Promise<Facts> {
  const request = { ...createTestDownload(), want: "facts", version } as const;
  return (await source.open(key, { ...request, clientKeys: customerKeyHeaders })).facts;
}

/** The whole and 20 ranges: ends, one byte, odd offsets, both sides of MiB borders. */
export async function expectContent(
  source: Source,
  key: string,
  expected: Uint8Array,
  more: { readonly version?: string } = {},
): Promise<void> {
  const options = { clientKeys: customerKeyHeaders, ...more };
  const whole = await downloadKey(source, key, options);
  expect(Buffer.compare(whole.bytes, expected), `${key}, whole`).toBe(0);
  const size = expected.length;
  const ranges = [
    [0, 1],
    [size - 1, size],
    [size >> 1, (size >> 1) + 1],
    [MiB - 3, MiB + 5],
    [0, 17],
  ];
  for (let i = 0, seed = 11; ranges.length < 20; i++) {
    seed = (seed * 48_271) % 2_147_483_647;
    const start = seed % Math.max(1, size);
    ranges.push([start, start + 1 + ((seed >> 7) % 100_000) * (i % 3)]);
  }
  for (const [from = 0, to = 0] of ranges) {
    const range = { start: Math.max(0, from), end: Math.min(size, to) };
    if (range.start >= range.end) continue;
    const { bytes } = await downloadKey(source, key, { ...options, range });
    const same = Buffer.compare(bytes, expected.subarray(range.start, range.end));
    expect(same, `${key}, [${range.start}, ${range.end})`).toBe(0);
  }
}
