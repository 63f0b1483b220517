import { describe, expect, it } from "vitest";
import { KiB } from "../support/units.ts";
import { ramp } from "./fake-source.ts";
import { expectRamp, film, problemOf, useHarness } from "./harness.ts";

const harness = useHarness();

describe("GET", () => {
  it("sends the object with everything a resumer needs", async () => {
    const { status, headers, bytes } = await harness.get();
    expect(status).toBe(200);
    expectRamp(bytes, 0, film.size);
    expect(Object.fromEntries(headers)).toMatchObject({
      "accept-ranges": "bytes",
      "cache-control": "max-age=60",
      "content-length": "1000000",
      "content-type": "video/mp4",
      etag: '"v1"',
      "last-modified": "Thu, 15 Jan 2026 00:00:00 GMT",
      "server-timing": "open;dur=1",
    });
    expect(headers.get("x-request-id")).toBe(harness.begun[0]?.id);
  });

  it("opens with the first part only, which doubles as the first read", async () => {
    await harness.get();
    expect(harness.source.opens.map(({ want }) => want)).toEqual([{ start: 0, end: 256 * KiB }]);
    expect(harness.source.reads[0]?.start).toBe(256 * KiB);
  });

  it.each([
    ["bytes=0-9", 0, 10, { start: 0, end: 10 }],
    ["bytes=999990-", 999_990, 1_000_000, { start: 999_990, end: 999_990 + 256 * KiB }],
    ["bytes=300000-800000", 300_000, 800_001, { start: 300_000, end: 300_000 + 256 * KiB }],
    ["bytes=-10", 999_990, 1_000_000, { suffix: 10 }],
  ])(
    "answers %s with 206, opening with exactly what it starts with",
    async (range, start, end, want) => {
      const { status, headers, bytes } = await harness.get({ range });
      expect(status).toBe(206);
      expect(headers.get("content-range")).toBe(`bytes ${start}-${end - 1}/1000000`);
      expect(headers.get("content-length")).toBe(String(end - start));
      expectRamp(bytes, start, end);
      expect(harness.source.opens.map((open) => open.want)).toEqual([want]);
    },
  );

  it("asks for facts before a large suffix, then for its first part", async () => {
    const { status, bytes } = await harness.get({ range: "bytes=-500000" });
    expect(status).toBe(206);
    expectRamp(bytes, 500_000, 1_000_000);
    expect(harness.source.opens.map(({ want }) => want)).toEqual([
      "facts",
      { start: 500_000, end: 500_000 + 256 * KiB },
    ]);
  });

  it.each(["lines=0-1", "bytes=5-4", "bytes=x", "bytes=0-,0-,0-,0-"])(
    "ignores the Range %s",
    async (range) => {
      const { status, bytes } = await harness.get({ range });
      expect(status).toBe(200);
      expect(bytes).toHaveLength(film.size);
    },
  );

  it.each(["bytes=1000000-", "bytes=2000000-2000001", "bytes=-0", "bytes=99999999999999999999-"])(
    "refuses the Range %s with 416 and the size",
    async (range) => {
      const { status, headers, bytes } = await harness.get({ range });
      expect(status).toBe(416);
      expect(headers.get("content-range")).toBe("bytes */1000000");
      expect(problemOf(bytes)).toMatchObject({ code: "unsatisfiable", status: 416 });
      await harness.settled();
      expect(harness.finishes[0]).toMatchObject({ status: 416, size: film.size });
    },
  );

  it("answers several ranges as multipart with an exact length, all from one open", async () => {
    const { status, headers, bytes } = await harness.get({ range: "bytes=500000-500009,0-9,-10" });
    expect(status).toBe(206);
    expect(headers.get("content-length")).toBe(String(bytes.byteLength));
    expect(headers.has("content-range")).toBe(false);
    const boundary = headers.get("content-type")?.split("boundary=")[1];
    const text = new TextDecoder("latin1").decode(bytes);
    expect(text.split(`--${boundary}`)).toHaveLength(5);
    expect([...text.matchAll(/Content-Range: (.*)\r/g)].map((match) => match[1])).toEqual([
      "bytes 500000-500009/1000000",
      "bytes 0-9/1000000",
      "bytes 999990-999999/1000000",
    ]);
    const latin = (start: number, end: number) =>
      new TextDecoder("latin1").decode(ramp(start, end));
    for (const part of [latin(500_000, 500_010), latin(0, 10), latin(999_990, 1_000_000)]) {
      expect(text).toContain(`\r\n\r\n${part}\r\n--`);
    }
    expect(harness.source.opens).toHaveLength(1);
  });

  it("answers several ranges of what cannot be pinned with the whole object, from one answer", async () => {
    harness.source.objects.set("film.mp4", { size: 5000, unversioned: "no validator" });
    const { status, bytes } = await harness.get({ range: "bytes=0-9,4000-4009" });
    expect(status).toBe(200);
    expectRamp(bytes, 0, 5000);
  });

  it("answers the satisfiable one where the first range is not", async () => {
    const { status, headers, bytes } = await harness.get({ range: "bytes=5000000-,0-9" });
    expect(status).toBe(206);
    expect(headers.get("content-range")).toBe("bytes 0-9/1000000");
    expectRamp(bytes, 0, 10);
  });

  it("lets go of a first answer that is not where the answer starts", async () => {
    const { status, bytes } = await harness.get({ range: "bytes=100-199,0-99" });
    expect(status).toBe(206);
    expectRamp(bytes, 0, 200);
    expect(harness.source.opens[0]?.want).toEqual({ start: 100, end: 200 });
  });
});

describe("objects out of the ordinary", () => {
  it("sends an empty object as an empty 200, and refuses ranges of it", async () => {
    harness.source.objects.set("film.mp4", { ...film, size: 0 });
    const whole = await harness.get();
    expect(whole.status).toBe(200);
    expect(whole.headers.get("content-length")).toBe("0");
    expect(whole.bytes).toHaveLength(0);
    const ranged = await harness.get({ range: "bytes=5-" });
    expect(ranged.status).toBe(416);
    expect(ranged.headers.get("content-range")).toBe("bytes */0");
    expect((await harness.get({ range: "bytes=-5" })).status).toBe(200);
  });

  it.each([1, 256 * KiB - 1, 256 * KiB, 256 * KiB + 1])("sends %i bytes", async (size) => {
    harness.source.objects.set("film.mp4", { ...film, size });
    const { bytes, headers } = await harness.get();
    expectRamp(bytes, 0, size);
    expect(headers.get("content-length")).toBe(String(size));
  });

  it("sends all of it, with 200, where the origin ignores Range", async () => {
    harness.source.objects.set("film.mp4", { ...film, size: 5_000, ignoresRange: true });
    for (const headers of [{}, { range: "bytes=10-19" }, { range: "bytes=-5" }]) {
      const answer = await harness.get(headers);
      expect(answer.status).toBe(200);
      expectRamp(answer.bytes, 0, 5_000);
      expect(answer.headers.get("accept-ranges")).toBeNull();
      expect(answer.headers.get("content-length")).toBe("5000");
    }
  });

  it("sends an object of unknown size without length or Accept-Ranges", async () => {
    const object = {
      ...film,
      size: 5_000,
      sizeless: true,
      ignoresRange: true,
      unversioned: "no length",
    };
    harness.source.objects.set("film.mp4", object);
    for (const headers of [{}, { range: "bytes=10-19" }]) {
      const answer = await harness.get(headers);
      expect(answer.status).toBe(200);
      expectRamp(answer.bytes, 0, 5_000);
      expect(answer.headers.get("accept-ranges")).toBeNull();
      expect(answer.headers.get("content-length")).toBeNull();
    }
    await harness.settled();
    expect(harness.finishes[0]).toMatchObject({
      size: null,
      unversioned: "no length",
      endedBy: "done",
    });
  });

  it("starts at 0 where the store says no size although it ranges", async () => {
    harness.source.objects.set("film.mp4", {
      ...film,
      size: 5_000,
      sizeless: true,
      unversioned: "no length",
    });
    const answer = await harness.get({ range: "bytes=10-19" });
    expect(answer.status).toBe(200);
    expectRamp(answer.bytes, 0, 5_000);
    expect(harness.source.opens.map(({ want }) => want)).toEqual([
      { start: 10, end: 20 },
      { start: 0 },
    ]);
  });

  it("passes a stored Content-Encoding on, and gives the whole object for several ranges", async () => {
    const headers = { "content-encoding": "gzip" };
    harness.source.objects.set("film.mp4", { ...film, size: 5_000, headers });
    const answer = await harness.get({ range: "bytes=0-9,500-509" });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-encoding")).toBe("gzip");
    expectRamp(answer.bytes, 0, 5_000);
  });
});
