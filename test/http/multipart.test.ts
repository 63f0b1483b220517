import * as fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { layOutMultipart } from "../../src/http/multipart.ts";
import { isLiteral, type Layout, layoutBytes } from "../../src/readahead/layout.ts";

// Properties take their time on a busy machine.
vi.setConfig({ testTimeout: 30_000 });

/** The answer's bytes, the object's being a ramp of prime period. */
function render(layout: Layout): Uint8Array {
  const chunks = layout.map((segment) =>
    isLiteral(segment)
      ? segment
      : Uint8Array.from(
          { length: segment.end - segment.start },
          (_, n) => (segment.start + n) % 251,
        ),
  );
  return Uint8Array.from(chunks.flatMap((chunk) => [...chunk]));
}

describe("layOutMultipart", () => {
  it("frames the parts as RFC 9110 14.6 shows, behind a line end as nginx does", () => {
    const ranges = [
      { start: 0, end: 2 },
      { start: 10, end: 11 },
    ];
    const { layout, contentType } = layOutMultipart(ranges, 12, "text/plain", "B");
    expect(contentType).toBe("multipart/byteranges; boundary=B");
    expect(new TextDecoder().decode(render(layout))).toBe(
      "\r\n--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/12\r\n\r\n\u0000\u0001" +
        "\r\n--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 10-10/12\r\n\r\n\u000a" +
        "\r\n--B--\r\n",
    );
  });

  it("makes a new boundary for every answer", () => {
    const make = () => layOutMultipart([{ start: 0, end: 1 }], 1, "a/b").contentType;
    expect(make()).not.toBe(make());
    expect(make()).toMatch(/^multipart\/byteranges; boundary=[0-9a-f]{32}$/);
  });

  it("says the exact length, and can be taken apart again", () => {
    const range = fc
      .tuple(fc.nat(2_000), fc.integer({ min: 1, max: 300 }))
      .map(([start, length]) => ({ start, end: start + length }));
    fc.assert(
      fc.property(fc.array(range, { minLength: 1, maxLength: 16 }), (ranges) => {
        const { layout, contentType } = layOutMultipart(ranges, 5_000, "text/plain; charset=utf-8");
        const bytes = render(layout);
        expect(layoutBytes(layout)).toBe(bytes.byteLength);
        const text = new TextDecoder("latin1").decode(bytes);
        const boundary = contentType.split("boundary=")[1];
        const parts = text.split(`\r\n--${boundary}`);
        expect(parts.at(0)).toBe("");
        expect(parts.at(-1)).toBe("--\r\n");
        const found = parts.slice(1, -1).map((part) => {
          const [head = "", body] = part.split(/\r\n\r\n(.*)/s);
          const [, first, last] = /Content-Range: bytes (\d+)-(\d+)\/5000/.exec(head) ?? [];
          expect(body).toHaveLength(Number(last) - Number(first) + 1);
          return { start: Number(first), end: Number(last) + 1 };
        });
        expect(found).toEqual(ranges);
      }),
    );
  });
});
