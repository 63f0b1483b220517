/**
 * A SeaweedFS cluster over real HTTP: one filer or more, one master or more, volume servers that hold replicas. Serves
 * what was recorded from a running 4.44 (recordings.ts) and generated objects (objects.ts).
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { directoryMetadata, isDirectoryMetadata, listDirectory } from "./directories.ts";
import { FakeServer, type Reply, type SeenRequest } from "./http-server.ts";
import { type FakeNeedle, replyForNeedle } from "./volume-replies.ts";

export type { Fault, SeenRequest } from "./http-server.ts";
export type { FakeNeedle } from "./volume-replies.ts";

export interface FakeClusterOptions {
  readonly volumeServers?: number;
  readonly masters?: number;
  readonly filers?: number;
  /** Ports, in the order filers, masters, volume servers; default: any. */
  readonly firstPort?: number;
  readonly delayMs?: {
    readonly filer?: number;
    readonly master?: number;
    readonly volume?: number;
  };
  /** Read keys: servers then refuse requests without a token. */
  readonly volumeKey?: string;
  readonly filerKey?: string;
  /** The filer wants its token for chunks, too, as 4.53 does and 4.44 did not. */
  readonly gatedProxy?: boolean;
  /** Data centre of each volume server. */
  readonly dataCenters?: readonly string[];
}

/** What the filer has at a path. */
export interface FakeEntry {
  /** JSON text of `?metadata=true`. */
  readonly metadata: string;
  readonly status?: number;
  /** What a plain GET brings (remote-only objects). */
  readonly content?: Buffer;
  readonly contentStatus?: number;
  /** JSON of the directory listing. */
  readonly listing?: string;
}

export class FakeCluster {
  readonly filers: FakeServer[];
  readonly masters: FakeServer[];
  readonly volumes: FakeServer[];
  readonly entries = new Map<string, FakeEntry>();
  /** Needles by file id; which servers have it follows from its volume, unless `only` says otherwise. */
  readonly needles = new Map<string, FakeNeedle>();
  readonly only = new Map<string, readonly number[]>();
  /** Servers of a volume, by their places in `volumes`. The default is all of them. */
  readonly placement = new Map<string, readonly number[]>();
  /** What the master says instead, where it is wrong. */
  readonly believed = new Map<string, readonly number[]>();
  /** Names in one page of a listing at most, whatever is asked for: makes many pages of a small directory. */
  mostListed = Infinity;
  /** Bodies of lookups, as recorded, for volumes that are not here. */
  readonly unknownVolumes = new Set<string>();
  /** Which of a volume's servers a filer proxies to: any, as the filer does. Seeded; tests may script it. */
  pickProxied: (servers: readonly number[], fid: string) => number | undefined = createPick();
  /** Needles made on demand: objects too large to be kept. */
  generate: ((fid: string) => FakeNeedle | undefined) | undefined;
  readonly options: FakeClusterOptions;

  private constructor(options: FakeClusterOptions) {
    this.options = options;
    const make = (count: number, answer: (request: SeenRequest, index: number) => Reply) =>
      Array.from({ length: count }, (_, index) => new FakeServer((seen) => answer(seen, index)));
    this.filers = make(options.filers ?? 1, (seen) => this.#filer(seen));
    this.masters = make(options.masters ?? 1, (seen) => this.#master(seen));
    this.volumes = make(options.volumeServers ?? 2, (seen, index) => this.#volume(seen, index));
    for (const server of this.filers) server.delayMs = options.delayMs?.filer ?? 0;
    for (const server of this.masters) server.delayMs = options.delayMs?.master ?? 0;
    for (const server of this.volumes) server.delayMs = options.delayMs?.volume ?? 0;
  }

  static async start(options: FakeClusterOptions = {}): Promise<FakeCluster> {
    const cluster = new FakeCluster(options);
    const { firstPort } = options;
    await Promise.all(
      cluster.servers.map((server, index) =>
        server.start(firstPort === undefined ? 0 : firstPort + index),
      ),
    );
    return cluster;
  }

  get servers(): FakeServer[] {
    return [...this.filers, ...this.masters, ...this.volumes];
  }

  get filerUrl(): string {
    return this.filers[0]?.url ?? "";
  }

  get masterUrl(): string {
    return this.masters[0]?.url ?? "";
  }

  /** Requests received so far, all told. */
  get requests(): number {
    return this.servers.reduce((sum, server) => sum + server.seen.length, 0);
  }

  get openBodies(): number {
    return this.servers.reduce((sum, server) => sum + server.openBodies, 0);
  }

  volume(index: number): FakeServer {
    const server = this.volumes[index];
    if (server === undefined) throw new RangeError(`There is no volume server ${index}`);
    return server;
  }

  async close(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.kill()));
  }

  #filer(seen: SeenRequest): Reply {
    const { path, query } = parseTarget(seen.target);
    const fid = query.get("proxyChunkId");
    const proxied = path === "/" && fid !== null;
    const { filerKey, gatedProxy = false } = this.options;
    const gated = filerKey !== undefined && (!proxied || gatedProxy);
    if (gated && bearerClaims(seen, filerKey) === undefined) return wrongJwt;
    if (proxied) return this.#proxy(seen, fid);
    const trimmed = path.length > 1 ? path.replace(/\/$/, "") : path;
    const json = { "Content-Type": "application/json", Server: "SeaweedFS 30GB 4.44" };
    const recorded = this.entries.get(trimmed);
    const made = recorded === undefined ? directoryMetadata(this.entries, trimmed) : undefined;
    const entry = recorded ?? (made === undefined ? undefined : { metadata: made });
    if (entry === undefined) return { status: 404 };
    if (query.get("metadata") === "true")
      return { status: entry.status ?? 200, headers: json, body: entry.metadata };
    if (entry.listing !== undefined && seen.headers.accept === "application/json")
      return { status: 200, headers: json, body: entry.listing };
    if (seen.headers.accept === "application/json" && isDirectoryMetadata(entry.metadata)) {
      const body = listDirectory(this.entries, trimmed, query, this.mostListed);
      return { status: 200, headers: json, body };
    }
    if (entry.contentStatus !== undefined)
      return { status: entry.contentStatus, headers: { "Retry-After": "5" } };
    if (entry.content === undefined) return { status: 500 };
    const stored = entry.content;
    return replyForNeedle({ stored: () => stored }, seen.headers.range, "");
  }

  /** The filer's own door to chunks: a random replica, no failover. */
  #proxy(seen: SeenRequest, fid: string): Reply {
    const volume = fid.split(",", 1)[0] ?? "";
    if (!/^\d+,[0-9a-f]{9,24}$/.test(fid)) return { status: 400 };
    if (this.unknownVolumes.has(volume)) return { status: 500 };
    const picked = this.pickProxied(this.#serversOf(volume), fid);
    return picked === undefined ? { status: 404 } : this.#needle(seen, fid, picked);
  }

  #master(seen: SeenRequest): Reply {
    const { path, query } = parseTarget(seen.target);
    if (path !== "/dir/lookup") return { status: 404 };
    const asked = query.get("volumeId") ?? query.get("fileId") ?? "";
    const volume = asked.split(",", 1)[0] ?? "";
    const headers: Record<string, string> = { "Content-Type": "application/json" };
    if (!/^\d+$/.test(volume) || this.unknownVolumes.has(volume)) {
      const error = `volume id ${volume} not found`;
      return { status: 404, headers, body: JSON.stringify({ volumeOrFileId: volume, error }) };
    }
    const { volumeKey, dataCenters } = this.options;
    if (volumeKey !== undefined && query.has("fileId") && query.get("read") === "yes")
      headers["Authorization"] =
        `Bearer ${signToken({ fid: asked, exp: seconds() + 60 }, volumeKey)}`;
    const locations = (this.believed.get(volume) ?? this.#serversOf(volume)).map((index) => {
      const { host } = this.volume(index);
      const dataCenter = dataCenters?.[index] ?? "DefaultDataCenter";
      return { url: host, publicUrl: host, dataCenter, grpcPort: 18_080 };
    });
    return { status: 200, headers, body: JSON.stringify({ volumeOrFileId: volume, locations }) };
  }

  #volume(seen: SeenRequest, index: number): Reply {
    const { path } = parseTarget(seen.target);
    const fid = path.slice(1).replace("/", ",");
    const { volumeKey } = this.options;
    if (volumeKey !== undefined) {
      const claims = bearerClaims(seen, volumeKey);
      if (claims?.["fid"] !== fid) return wrongJwt;
    }
    return this.#needle(seen, fid, index);
  }

  #needle(seen: SeenRequest, fid: string, index: number): Reply {
    const { query } = parseTarget(seen.target);
    const needle = this.needles.get(fid) ?? this.generate?.(fid);
    const holders = this.only.get(fid) ?? this.#serversOf(fid.split(",", 1)[0] ?? "");
    if (needle === undefined || !holders.includes(index)) return { status: 404 };
    if (needle.deleted === true && query.get("readDeleted") !== "true") return { status: 404 };
    const accept = seen.headers["accept-encoding"];
    const encoding = typeof accept === "string" ? accept : "";
    return replyForNeedle(needle, seen.headers.range, encoding);
  }

  #serversOf(volume: string): readonly number[] {
    return this.placement.get(volume) ?? [...this.volumes.keys()];
  }
}

/** A linear congruential generator (Numerical Recipes), the same in every run. */
function createPick(): (servers: readonly number[]) => number | undefined {
  let state = 20_261_125;
  return (servers) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return servers[Math.floor((state / 2 ** 32) * servers.length)];
  };
}

const wrongJwt: Reply = {
  status: 401,
  headers: { "Content-Type": "application/json" },
  body: '{"error":"wrong jwt"}',
};

function parseTarget(target: string): { path: string; query: URLSearchParams } {
  const mark = target.indexOf("?");
  const path = decodeURIComponent(mark < 0 ? target : target.slice(0, mark));
  return { path, query: new URLSearchParams(mark < 0 ? "" : target.slice(mark + 1)) };
}

/** A JWT as SeaweedFS signs them. */
export function signToken(claims: Record<string, unknown>, key: string): string {
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
  return `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`;
}

/** The claims of a valid, unexpired token; `undefined` for any other. */
function bearerClaims(seen: SeenRequest, key: string): Record<string, unknown> | undefined {
  const token = /^Bearer (.+)$/i.exec(seen.headers.authorization ?? "")?.[1] ?? "";
  const [head = "", body = "", mac = ""] = token.split(".");
  const right = createHmac("sha256", key).update(`${head}.${body}`).digest();
  const given = Buffer.from(mac, "base64url");
  if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
  const claims = JSON.parse(Buffer.from(body, "base64url").toString()) as Record<string, unknown>;
  return typeof claims["exp"] === "number" && claims["exp"] < seconds() ? undefined : claims;
}

function seconds(): number {
  return Math.floor(Date.now() / 1000);
}
