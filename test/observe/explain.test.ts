import { describe, expect, it } from "vitest";
import { createHandler } from "../../src/http/handler.ts";
import { createExplain, type ExplainOptions, type Explanation } from "../../src/observe/explain.ts";
import { formatExplainPage } from "../../src/observe/explain-page.ts";
import type { ByteRange } from "../../src/readahead/byte-range.ts";
import { createDownload } from "../../src/readahead/download.ts";
import type { Limits } from "../../src/readahead/limits.ts";
import { Reserve } from "../../src/readahead/reserve.ts";
import type { Facts, OpenObject, Source, StoredPiece } from "../../src/sources/source.ts";
import { MiB } from "../support/units.ts";

interface Store {
  readonly size: number;
  readonly pieceBytes?: number;
  readonly atomic?: boolean;
  readonly rangeable?: boolean;
  readonly reserveBytes?: number | undefined;
  readonly facts?: Partial<Facts>;
  readonly limits?: Partial<Limits>;
}

const answerOf = (range: ByteRange) => ({
  body: new Uint8Array(range.end - range.start),
  replica: "10.0.0.1:8080",
});

/** A store whose bytes are zeros; counts reads. `first` comes with open where a start is asked for. */
function createStore({ size, pieceBytes, atomic, rangeable, reserveBytes, facts }: Store) {
  let reads = 0;
  const object: OpenObject = {
    facts: {
      size,
      etag: '"v1"',
      pin: { by: "etag", value: '"v1"' },
      headers: { "content-type": "video/mp4" },
      ...facts,
    },
    ...(rangeable === undefined ? {} : { rangeable }),
    ...(reserveBytes === undefined ? {} : { reserve: () => new Reserve(reserveBytes) }),
    async read(_piece, range) {
      reads++;
      return answerOf(range);
    },
    ...(pieceBytes === undefined
      ? {}
      : {
          async *pieces(range) {
            for (let start = 0; start < size; start += pieceBytes) {
              const piece: StoredPiece = {
                kind: "stored",
                range: { start, end: Math.min(size, start + pieceBytes) },
                ...(atomic === undefined ? {} : { atomic }),
              };
              if (piece.range.end > range.start && start < range.end) yield piece;
            }
          },
          replicas: (piece) => Promise.resolve([`10.0.0.${piece.range.start % 3}`, "10.0.0.9"]),
        }),
  };
  const source: Source = {
    open: (_key, { want }) => {
      if (typeof want !== "object" || !("start" in want)) return Promise.resolve(object);
      const range = { start: want.start, end: Math.min(size, want.end ?? size) };
      return Promise.resolve({ ...object, first: { range, ...answerOf(range) } });
    },
  };
  return { source, object, reads: () => reads };
}

function ask(
  store: Store,
  headers: Record<string, string> = {},
  options: ExplainOptions = {},
  key = "film.mp4",
) {
  const { source, reads } = createStore(store);
  const handle = createHandler({
    mounts: [{ name: "files", prefix: "/files/", source, explain: true }],
    limits: store.limits,
    explain: createExplain(options),
  });
  const response = handle(
    new Request(`https://edge.example/files/${encodeURIComponent(key)}?explain`, { headers }),
  );
  return { response, reads };
}

async function explanation(
  store: Store,
  headers: Record<string, string> = {},
  options: ExplainOptions = {},
) {
  const { response, reads } = ask(store, headers, options);
  const told = (await (await response).json()) as Explanation;
  expect(reads()).toBe(0);
  return told;
}

/** Ranges of the parts that a download of the same object asks for, when the client takes all at once. */
async function partsOfDownload(store: Store, range: ByteRange): Promise<ByteRange[]> {
  const { source } = createStore(store);
  const asked: ByteRange[] = [];
  const download = createDownload({
    limits: store.limits,
    onEvent: (event) => {
      if (event.type === "part-requested") asked.push(event.range);
    },
  });
  const object = await source.open("k", {
    ...download,
    permits: download.permits,
    signal: download.signal,
    observe: download.observe,
    want: { start: range.start, end: range.start + 256 * 1024 },
  });
  const stream = await download.start(object, [range]);
  for await (const block of stream) expect(block.byteLength).toBeGreaterThan(0);
  await download.closed;
  return asked;
}

describe("createExplain", () => {
  it("plans what a download of the same range then does, and reads nothing", async () => {
    const store = { size: 100 * MiB + 17 };
    const { plan, answer, cost } = await explanation(store);
    const planned = plan.list.flatMap((part) => (part.kind === "read" ? [part.range] : []));
    expect(planned).toEqual(await partsOfDownload(store, { start: 0, end: store.size }));
    expect(plan).toMatchObject({
      bytes: store.size,
      parts: planned.length,
      estimated: false,
      windowParts: 6,
      pieces: 1,
    });
    expect(answer).toEqual({
      kind: "whole",
      status: 200,
      ranges: [[0, store.size]],
      bytes: store.size,
    });
    expect(cost).toMatchObject({
      subrequests: planned.length,
      subrequestsAllowed: 10_000,
      r2ClassB: null,
    });
    expect(cost.heldBytes).toBeLessThanOrEqual(32 * MiB + 64 * 1024);
  });

  it("plans a range across chunks of the store, with the replicas of each by label", async () => {
    const store = { size: 20 * MiB, pieceBytes: 3 * MiB + 1 };
    const range = { start: 5 * MiB, end: 12 * MiB };
    const { plan, answer } = await explanation(store, {
      range: `bytes=${range.start}-${range.end - 1}`,
    });
    const planned = plan.list.flatMap((part) => (part.kind === "read" ? [part.range] : []));
    expect(planned).toEqual(await partsOfDownload(store, range));
    expect(answer).toMatchObject({ status: 206, bytes: 7 * MiB });
    expect(plan.pieces).toBe(3);
    expect(plan.list[0]).toMatchObject({ replicas: ["r1", "r2"] });
    expect(JSON.stringify(plan)).not.toContain("10.0.0");
  });

  it("shows upstream addresses where the mount does", async () => {
    const told = await explanation(
      { size: MiB, pieceBytes: MiB },
      {},
      { showsReplicas: (mount) => mount === "files" },
    );
    expect(told.plan.list[0]).toMatchObject({ replicas: ["10.0.0.0", "10.0.0.9"] });
  });

  it("never cuts a chunk that must be read in one go", async () => {
    const told = await explanation({ size: 20 * MiB, pieceBytes: 8 * MiB, atomic: true });
    expect(told.plan.list).toMatchObject([
      { whole: true, range: { start: 0, end: 8 * MiB } },
      { whole: true, range: { start: 8 * MiB, end: 16 * MiB } },
      { whole: true, range: { start: 16 * MiB, end: 20 * MiB } },
    ]);
  });

  it("says why an object is one stream", async () => {
    const weak = await explanation({
      size: 9 * MiB,
      facts: { pin: undefined, unversioned: "weak entity tag" },
    });
    expect(weak.plan).toMatchObject({ sequential: "weak entity tag", parts: 1, windowParts: 1 });
    const plain = await explanation({ size: 9 * MiB, rangeable: false });
    expect(plain.plan).toMatchObject({ sequential: "the store ignores ranges", parts: 1 });
  });

  it("raises part sizes where the subrequests would not do", async () => {
    const { plan } = await explanation({ size: 5 * 1024 ** 4 });
    expect(plan.estimated).toBe(false);
    expect(plan.parts).toBeLessThanOrEqual(10_000);
    expect(plan.list.length).toBe(400);
  });

  it("tells that a plan would be refused", async () => {
    const refused = { kind: "too-many-parts", status: 501 };
    const told = await explanation({ size: 3 * MiB, limits: { subrequests: 1 } });
    expect(told.answer).toMatchObject(refused);
    const small = await explanation({ size: 100_000, limits: { subrequests: 1 } });
    expect(small.answer).toMatchObject({ kind: "whole", status: 200 });
  });

  it("estimates the rest of a plan that is too long to be walked", async () => {
    const { plan } = await explanation({
      size: 5 * 1024 ** 4,
      limits: { subrequests: 10_000_000 },
    });
    expect(plan.estimated).toBe(true);
    const fewest = (5 * 1024 ** 4) / (4 * MiB);
    expect(plan.parts).toBeGreaterThanOrEqual(fewest);
    expect(plan.parts).toBeLessThan(fewest * 1.01);
  });

  it("counts R2's class B operations for an R2 mount only", async () => {
    const told = await explanation({ size: 30 * MiB }, {}, { sourceOf: () => "r2" });
    expect(told.cost.r2ClassB).toBe(told.plan.parts);
    expect(told.mount.source).toBe("r2");
  });

  it("costs one request at least, also for an empty object", async () => {
    const { plan, cost, answer } = await explanation({ size: 0 });
    expect(plan.parts).toBe(0);
    expect(cost).toMatchObject({ subrequests: 1, r2ClassB: null });
    expect(answer.bytes).toBe(0);
  });

  it("opens with the first part of the plan", async () => {
    const { plan } = await explanation({ size: 30 * MiB, limits: { partBytes: 2 * MiB } });
    const [first, second] = plan.list.flatMap((part) => (part.kind === "read" ? [part.range] : []));
    expect(first).toEqual({ start: 0, end: 256 * 1024 });
    expect(second?.start).toBe(256 * 1024);
  });

  it("has one part in flight where it is one stream, of which nothing is held ahead", async () => {
    const { plan, cost, answer } = await explanation({
      size: Infinity,
      rangeable: false,
      facts: { size: undefined, pin: undefined, unversioned: "no size" },
    });
    expect(plan).toMatchObject({ parts: 1, windowParts: 1, bytes: null, largestPartBytes: null });
    expect(answer.ranges).toEqual([[0, null]]);
    expect(cost.heldBytes).toBe(64 * 1024);
  });

  it("counts what decoding holds", async () => {
    const held = async (reserveBytes?: number) =>
      (await explanation({ size: MiB, reserveBytes })).cost.heldBytes;
    expect((await held(3 * MiB)) - (await held())).toBe(3 * MiB);
  });

  it("looks up where the first pieces lie, and not where thousands do", async () => {
    const { plan } = await explanation({ size: 100 * MiB, pieceBytes: MiB });
    const located = plan.list.filter((part) => part.kind === "read" && part.replicas !== undefined);
    expect(plan.pieces).toBe(100);
    expect(located.length).toBeGreaterThanOrEqual(64);
    expect(located.length).toBeLessThan(plan.list.length);
  });

  it("plans nothing for an answer without a body", async () => {
    const told = await explanation({ size: MiB }, { "if-none-match": '"v1"' });
    expect(told.answer).toEqual({ kind: "not-modified", status: 304, ranges: [], bytes: 0 });
    expect(told.plan).toMatchObject({ parts: 0, list: [] });
  });

  it("gives a browser a page without scripts, everything escaped", async () => {
    const evil = `"><script>alert(1)</script>&'.bin`;
    const { response } = ask(
      { size: 30 * MiB, facts: { headers: { "content-type": "<b>x</b>" } } },
      { accept: "text/html,application/xhtml+xml,*/*;q=0.8" },
      {},
      evil,
    );
    const answered = await response;
    expect(answered.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(answered.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(answered.headers.get("cache-control")).toBe("no-store");
    expect(answered.headers.get("vary")).toBe("Accept");
    const html = await answered.text();
    expect(html).not.toContain("<script>");
    expect(html).not.toContain("<b>x</b>");
    expect(html).toContain("&#34;&#62;&#60;script&#62;");
    expect(html).toContain("6 in flight at a time");
  });

  it("escapes whatever an explanation says, names of headers and replicas included", async () => {
    const told = await explanation({
      size: 3 * MiB,
      pieceBytes: MiB,
      facts: { pin: undefined, unversioned: "no entity tag" },
    });
    const evil = (value: unknown): unknown => {
      if (typeof value === "string") return value === "read" ? value : `"><i>${value}`;
      if (Array.isArray(value)) return value.map(evil);
      if (typeof value !== "object" || value === null) return value;
      const entries = Object.entries(value).map(([name, each]) => [name, evil(each)]);
      return Object.fromEntries(entries);
    };
    const { object } = told;
    const hostile = { ...told, object: { ...object, headers: { "<i>x": "1" } } };
    const html = formatExplainPage(evil(hostile) as Explanation);
    expect(html).not.toMatch(/<i>|[^=]">\s*&#60;i/);
    expect(html).toContain("&#60;i&#62;x");
    expect(html.split("&#34;&#62;&#60;i&#62;").length).toBeGreaterThan(10);
  });

  it("says how many parts are not listed, and draws an end that is not known", async () => {
    const page = async (store: Store) =>
      (await ask(store, { accept: "text/html" }).response).text();
    expect(await page({ size: 30 * MiB })).not.toContain("are listed");
    expect(await page({ size: 5 * 1024 ** 4 })).toMatch(/400 of \d+ are listed/);
    const facts = { size: undefined, pin: undefined, unversioned: "no size" };
    const endless = await page({ size: Infinity, rangeable: false, facts });
    expect(endless).not.toContain("Infinity");
    expect(endless).not.toContain("NaN");
  });

  it("draws the map to scale", async () => {
    const { response } = ask({ size: 30 * MiB }, { accept: "text/html" });
    const widths = [...(await (await response).text()).matchAll(/flex-grow:(\d+)/g)].map((match) =>
      Number(match[1]),
    );
    expect(widths.reduce((sum, width) => sum + width, 0)).toBe(30 * MiB);
    expect(widths[0]).toBe(256 * 1024);
  });
});
