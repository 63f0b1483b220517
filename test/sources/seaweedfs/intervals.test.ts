/** Visible intervals: the tables of the model (filechunks_test.go, interval_list_test.go, reader_at_test.go) and a painted array. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Layer, visibleIntervals } from "../../../src/sources/seaweedfs/intervals.ts";

interface Named extends Layer {
  readonly name: string;
}

/** `abc[0,100)#123` and so on. */
function chunksOf(text: string): Named[] {
  return [...text.matchAll(/(\S+?)\[(\d+),(\d+)\)#(\d+)/g)].map(
    ([, name = "", start = "", end = "", timestamp = ""]) => ({
      name,
      offset: Number(start),
      size: Number(end) - Number(start),
      timestamp: BigInt(timestamp),
    }),
  );
}

/** `[0,70)b [70,100)a+70`. */
function shown(text: string, start = 0, end = Number.MAX_SAFE_INTEGER): string {
  return visibleIntervals(chunksOf(text), { start, end })
    .map(({ start: from, end: to, chunk, offsetInChunk }) => {
      const offset = offsetInChunk === 0 ? "" : `+${offsetInChunk}`;
      return `[${from},${to})${chunk.name}${offset}`;
    })
    .join(" ");
}

const merging = [
  "abc[0,100)#123 asdf[100,200)#134 fsad[200,300)#353",
  "abc[0,100)#123 asdf[0,200)#134",
  "a[0,100)#123 b[0,70)#134",
  "abc[0,100)#123 asdf[0,200)#134 xxxx[50,300)#154",
  "abc[0,100)#123 asdf[0,200)#134 xxxx[250,500)#154",
  "a[0,100)#123 d[0,200)#184 c[70,220)#143 b[80,180)#134",
  "abc[0,100)#123 axf[0,100)#124 xyz[0,100)#125",
  "7,0294cbb9892b[0,2097152)#123 3,029565bf3092[0,3145728)#130 6,029632f47ae2[2097152,5242880)#140 2,029734c5aa10[5242880,8388608)#150 5,02982f80de50[8388608,11534336)#160 7,0299ad723803[11534336,14376529)#170",
  "4,0b3df938e301[0,77824)#123 6,0b3e0650019c[471040,472225)#130 4,0b3f0c7202f0[77824,208896)#140 2,0b4031a72689[208896,339968)#150 3,0b416a557362[339968,471040)#160",
];

describe("visibleIntervals", () => {
  // TestIntervalMerging
  it.each([
    [0, "[0,100)abc [100,200)asdf [200,300)fsad"],
    [1, "[0,200)asdf"],
    [2, "[0,70)b [70,100)a+70"],
    [3, "[0,50)asdf [50,300)xxxx"],
    [4, "[0,200)asdf [250,500)xxxx"],
    [5, "[0,200)d [200,220)c+130"],
    [6, "[0,100)xyz"],
    [
      7,
      "[0,2097152)3,029565bf3092 [2097152,5242880)6,029632f47ae2 [5242880,8388608)2,029734c5aa10 [8388608,11534336)5,02982f80de50 [11534336,14376529)7,0299ad723803",
    ],
    [
      8,
      "[0,77824)4,0b3df938e301 [77824,208896)4,0b3f0c7202f0 [208896,339968)2,0b4031a72689 [339968,471040)3,0b416a557362 [471040,472225)6,0b3e0650019c",
    ],
  ])("merges case %i of the model", (index, expected) => {
    expect(shown(merging[index] ?? "")).toBe(expected);
  });

  // TestChunksReading: request -> views
  it.each([
    [merging[0], 0, 250, "[0,100)abc [100,200)asdf [200,250)fsad"],
    [merging[1], 50, 100, "[50,150)asdf+50"],
    ["a[3,103)#123 b[10,60)#134", 30, 40, "[30,60)b+20 [60,70)a+57"],
    [merging[3], 0, 200, "[0,50)asdf [50,200)xxxx"],
    [merging[4], 0, 400, "[0,200)asdf [250,400)xxxx"],
    ["a[0,100)#123 c[0,200)#184 b[70,220)#143 xxxx[80,180)#134", 0, 220, "[0,200)c [200,220)b+130"],
    ["abc[0,100)#123 def[0,100)#124 xyz[0,100)#125", 0, 100, "[0,100)xyz"],
    [merging[0], 0, 200, "[0,100)abc [100,200)asdf"],
    [
      "abc[0,100)#123 asdf[90,290)#134 fsad[190,490)#353",
      0,
      300,
      "[0,90)abc [90,190)asdf [190,300)fsad",
    ],
    [
      "A[0,43175947)#1 B[43175936,52981771)#2 C[52981760,72564747)#3 D[72564736,133255179)#4 E[133255168,137269259)#5 F[137269248,153578836)#6",
      0,
      153_578_836,
      "[0,43175936)A [43175936,52981760)B [52981760,72564736)C [72564736,133255168)D [133255168,137269248)E [137269248,153578836)F",
    ],
  ])("views %s from %i for %i", (chunks, offset, size, expected) => {
    expect(shown(chunks ?? "", offset, offset + size)).toBe(expected);
  });

  // Compaction and the cases the model only prints
  it.each([
    [
      "abc[10,110)#50 def[100,200)#100 ghi[200,300)#200 jkl[110,310)#300",
      "[10,100)abc [100,110)def [110,310)jkl",
    ],
    [
      "abc[0,100)#50 def[100,200)#100 ghi[200,300)#200 abcf[0,100)#300 fhfh[50,150)#400 yuyu[100,200)#500",
      "[0,50)abcf [50,100)fhfh [100,200)yuyu [200,300)ghi",
    ],
    [
      "abc[0,100)#50 ghi[100,200)#50 jkl[200,300)#100 def[300,400)#200",
      "[0,100)abc [100,200)ghi [200,300)jkl [300,400)def",
    ],
    [
      "a[0,100)#1 b[50,150)#2 c[200,250)#3 d[250,300)#4 e[175,275)#5",
      "[0,50)a [50,150)b [175,275)e [275,300)d+25",
    ],
    ["c[200,250)#3 e[200,225)#5", "[200,225)e [225,250)c+25"],
    [
      "x[0,184320)#1 y[184320,188416)#2 z[184320,188416)#4 w[188416,2285568)#3",
      "[0,184320)x [184320,188416)z [188416,2285568)w",
    ],
    ["A[0,100)#1 B[20,80)#2 C[40,60)#3", "[0,20)A [20,40)B [40,60)C [60,80)B+40 [80,100)A+80"],
    ["N[50,70)#9 O[0,100)#1", "[0,50)O [50,70)N [70,100)O+70"],
    ["H[0,50)#9 L[50,100)#1", "[0,50)H [50,100)L"],
    ["A[10,20)#1 B[30,40)#2", "[10,20)A [30,40)B"],
    ["a[0,5)#2 e[3,3)#9", "[0,5)a"],
  ])("shows %s as %s", (chunks, expected) => {
    expect(shown(chunks)).toBe(expected);
  });

  // The second compaction again, with what the model's loops add: 4 of 12 chunks are kept
  it("keeps four of twelve chunks", () => {
    const loops = [0, 1, 2].flatMap((n) => [
      `fileId${n}[${100 * n},${100 * n + 100})#${n}`,
      `fileId${n + 3}[${50 * n},${50 * n + 100})#${n + 3}`,
    ]);
    const written =
      "abc[0,100)#50 def[100,200)#100 ghi[200,300)#200 abcf[0,100)#300 fhfh[50,150)#400 yuyu[100,200)#500";
    const chunks = `${written} ${loops.join(" ")}`;
    expect(chunksOf(chunks)).toHaveLength(12);
    expect(shown(chunks)).toBe("[0,50)abcf [50,100)fhfh [100,200)yuyu [200,300)ghi");
  });

  // TestViewFromVisibleIntervals
  it.each([
    [
      "fid1[0,25)#1 fid2[4096,8192)#2 fid3[16384,18551)#3",
      0,
      2 ** 31 - 1,
      "[0,25)fid1 [4096,8192)fid2 [16384,18551)fid3",
    ],
    [
      "fid1[344064,348160)#1 fid2[348160,356352)#2",
      0,
      2 ** 31 - 1,
      "[344064,348160)fid1 [348160,356352)fid2",
    ],
    ["fid1[1000,2000)#1 fid2[3000,4000)#2", 1700, 1500, "[1700,2000)fid1+700 [3000,3200)fid2"],
  ])("views the visible intervals %s from %i for %i", (chunks, offset, size, expected) => {
    expect(shown(chunks, offset, offset + size)).toBe(expected);
  });

  // filechunks2_test.go
  it("shows a write into the middle of a chunk, as met in the field", () => {
    const chunks =
      "6,512f[868352,917585)#5320492 7,5144[884736,901120)#5325928 5,9a[917504,2297856)#5325894";
    expect(shown(chunks)).toBe(
      "[868352,884736)6,512f [884736,901120)7,5144 [901120,917504)6,512f+32768 [917504,2297856)5,9a",
    );
  });

  /** `0-100#1 50-150#2`, the number being the name; later ones are newer, or, `byTime`, those of higher numbers. */
  function listed(operations: string, byTime: boolean): string {
    const chunks = [...operations.matchAll(/(\d+)-(\d+)#(\d+)/g)].map(
      ([, start = "", end = "", name = ""], index) =>
        `${name}[${start},${end})#${byTime ? name : index}`,
    );
    return visibleIntervals(chunksOf(chunks.join(" ")), { start: 0, end: 1000 })
      .map(({ start, end, chunk }) => `${start}-${end}#${chunk.name}`)
      .join(" ");
  }

  // interval_list_test.go, Overlay: the last call wins
  const overlaid = "0-100#1 50-150#2 200-250#3 225-250#4 175-210#5 0-25#6";
  it.each([
    [overlaid, "0-25#6 25-50#1 50-150#2 175-210#5 210-225#3 225-250#4"],
    [`${overlaid} 50-150#7`, "0-25#6 25-50#1 50-150#7 175-210#5 210-225#3 225-250#4"],
    ["50-100#1 0-50#2", "0-50#2 50-100#1"],
    ["50-100#1 0-60#2", "0-60#2 60-100#1"],
    ["50-100#1 0-100#2", "0-100#2"],
    ["50-100#1 0-110#2", "0-110#2"],
    ["50-100#1 50-110#2", "50-110#2"],
    ["50-100#1 50-90#2", "50-90#2 90-100#1"],
    ["50-100#1 60-90#2", "50-60#1 60-90#2 90-100#1"],
    ["50-100#1 60-100#2", "50-60#1 60-100#2"],
    ["50-100#1 60-110#2", "50-60#1 60-110#2"],
    ["0-100#1 100-110#2 0-90#3 0-80#4 0-90#5 90-90#6", "0-90#5 90-100#1 100-110#2"],
  ])("overlays %s", (operations, expected) => {
    expect(listed(operations, false)).toBe(expected);
  });

  // interval_list_test.go, Insert: the higher time wins, whatever the order
  it.each([
    ["50-150#2 200-250#3", "50-150#2 200-250#3"],
    ["50-150#2 0-25#3", "0-25#3 50-150#2"],
    ["50-150#2 200-250#4 0-75#3", "0-75#3 75-150#2 200-250#4"],
    ["200-250#4 0-225#3", "0-200#3 200-250#4"],
    ["200-250#4 0-225#5", "0-225#5 225-250#4"],
    ["50-150#2 200-250#4 0-275#1", "0-50#1 50-150#2 150-200#1 200-250#4 250-275#1"],
    ["50-150#2 200-250#4 75-275#1", "50-150#2 150-200#1 200-250#4 250-275#1"],
    ["50-150#2 200-250#4 75-275#3", "50-75#2 75-200#3 200-250#4 250-275#3"],
    ["50-150#2 200-250#4 50-150#3", "50-150#3 200-250#4"],
    ["50-100#2 200-300#4 100-200#5", "50-100#2 100-200#5 200-300#4"],
    ["0-64#1 72-136#3 64-128#2 68-72#4", "0-64#1 64-68#2 68-72#4 72-136#3"],
    ["0-64#1 64-72#2 72-136#3 64-68#4", "0-64#1 64-68#4 68-72#2 72-136#3"],
  ])("inserts %s in any order", (operations, expected) => {
    expect(listed(operations, true)).toBe(expected);
    expect(listed(operations.split(" ").toReversed().join(" "), true)).toBe(expected);
  });

  // interval_list_test.go, by time
  it.each([
    ["a[50,150)#2 b[200,250)#3", "[50,150)a [200,250)b"],
    ["a[50,150)#2 b[200,250)#4 c[0,75)#3", "[0,75)c [75,150)a+25 [200,250)b"],
    ["b[200,250)#4 c[0,225)#3", "[0,200)c [200,250)b"],
    ["b[200,250)#4 c[0,225)#5", "[0,225)c [225,250)b+25"],
    [
      "a[50,150)#2 b[200,250)#4 c[0,275)#1",
      "[0,50)c [50,150)a [150,200)c+150 [200,250)b [250,275)c+250",
    ],
    ["a[50,150)#2 b[200,250)#4 c[75,275)#3", "[50,75)a [75,200)c [200,250)b [250,275)c+175"],
    ["a[50,100)#2 b[200,300)#4 c[100,200)#5", "[50,100)a [100,200)c [200,300)b"],
    ["a[0,64)#1 b[72,136)#3 c[64,128)#2 d[68,72)#4", "[0,64)a [64,68)c [68,72)d [72,136)b"],
    ["a[0,64)#1 b[64,72)#2 c[72,136)#3 d[64,68)#4", "[0,64)a [64,68)d [68,72)b+4 [72,136)c"],
  ])("inserts %s", (chunks, expected) => {
    expect(shown(chunks)).toBe(expected);
  });

  // SeaweedFS loses bytes here
  it.each([
    ["A[0,100)#5 B[50,150)#5", "[0,50)A [50,150)B"],
    ["A[0,100)#5 B[50,80)#5", "[0,50)A [50,80)B [80,100)A+80"],
    ["A[0,100)#5 B[0,50)#5", "[0,50)B [50,100)A+50"],
    ["A[0,100)#5 C[20,80)#9 B[50,150)#5", "[0,20)A [20,80)C [80,150)B+30"],
  ])("lets the later of equal times win: %s", (chunks, expected) => {
    expect(shown(chunks)).toBe(expected);
  });

  it("tells times apart that a double cannot", () => {
    const older = "o[0,10)#1790000000000000001";
    const newer = "n[5,15)#1790000000000000002";
    expect(shown(`${newer} ${older}`)).toBe("[0,5)o [5,15)n");
  });

  it("agrees with a painted array, for any chunks and any range", () => {
    const chunk = fc.record({
      offset: fc.nat(60),
      size: fc.nat(30),
      timestamp: fc.bigInt(0n, 8n),
    });
    const range = fc.tuple(fc.nat(90), fc.nat(90)).map(([a, b]) => ({
      start: Math.min(a, b),
      end: Math.max(a, b),
    }));
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 25 }), range, (chunks, asked) => {
        const painted: (number | undefined)[] = Array.from({ length: 100 });
        const order = chunks
          .map((one, position) => ({ ...one, position }))
          .toSorted((a, b) => Number(a.timestamp - b.timestamp) || a.position - b.position);
        for (const { offset, size, position } of order)
          painted.fill(position, offset, offset + size);
        const ours: (number | undefined)[] = Array.from({ length: 100 });
        let last = -1;
        for (const interval of visibleIntervals(chunks, asked)) {
          expect(interval.start).toBeGreaterThanOrEqual(last);
          expect(interval.end).toBeGreaterThan(interval.start);
          expect(interval.offsetInChunk).toBe(interval.start - interval.chunk.offset);
          last = interval.end;
          ours.fill(chunks.indexOf(interval.chunk), interval.start, interval.end);
        }
        for (let i = 0; i < 100; i++) {
          const inside = i >= asked.start && i < asked.end;
          expect(ours[i]).toBe(inside ? painted[i] : undefined);
        }
      }),
      { numRuns: 500 },
    );
  });
});
