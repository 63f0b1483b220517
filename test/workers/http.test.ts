/** The HTTP source with workerd's own fetch, against a real server. */
import { describe, expect, inject, it } from "vitest";
import { createHttpSource } from "../../src/sources/http.ts";
import { describeSourceContract } from "../contract/source-contract.ts";
import { discardBody, readAll } from "../support/bodies.ts";
import type { Content } from "../support/object-bytes.ts";
import { contentBytes, ramp } from "../support/object-bytes.ts";
import { createTestDownload } from "../support/permits.ts";
import { createRemoteSpace } from "../support/store-client.ts";
import { until } from "../support/until.ts";

const storeUrl = inject("storeUrl");
let spaces = 0;

function spaceName(): string {
  return `workers-http-${spaces++}`;
}

/** JSON carries no bytes, so the content is recognised: the suite stores the ramp, and the ramp from its second byte. */
function contentOf(bytes: Uint8Array): Content {
  return bytes[0] === 1 ? { kind: "ramp", from: 1 } : ramp;
}

describeSourceContract("http in workerd", async () => {
  const space = await createRemoteSpace(storeUrl, spaceName());
  return {
    source: createHttpSource({ url: space.url }),
    put: (key, bytes, headers) =>
      space.store(key, { content: contentOf(bytes), size: bytes.length, headers }),
    delete: (key) => space.delete(key),
    deny: (key) => space.always(key, { kind: "status", status: 403 }),
    holdHeaders: (key) => space.always(key, { kind: "stall", after: "before-headers" }),
    holdBody: (key, after) => space.always(key, { kind: "stall", after }),
    requests: async () => (await space.stats()).requests,
    openBodies: async () => (await space.stats()).openBodies,
  };
});

describe("createHttpSource in workerd", () => {
  it("passes a stored encoding on byte by byte", async () => {
    const space = await createRemoteSpace(storeUrl, spaceName(), {
      // The bytes are no gzip at all: whoever decodes them fails.
      objects: { file: { content: ramp, size: 5000, headers: { "content-encoding": "gzip" } } },
    });
    const source = createHttpSource({ url: space.url, storedEncoding: "pass" });
    const download = createTestDownload();
    const object = await source.open("file", { ...download, want: { start: 0, end: 100 } });
    expect(object.facts.headers["content-encoding"]).toBe("gzip");
    expect(await readAll(object.first?.body ?? new Uint8Array(0))).toEqual(
      contentBytes(ramp, 0, 100),
    );
    const { body } = await object.read(
      { kind: "stored", range: { start: 0, end: 5000 } },
      { start: 100, end: 200 },
      { ...download, tried: () => false, suspect: () => false },
    );
    expect(await readAll(body)).toEqual(contentBytes(ramp, 100, 200));
  });

  for (const after of ["before-headers", 10] as const)
    it(`closes the upstream socket on abort: stalled at ${after}`, async () => {
      const space = await createRemoteSpace(storeUrl, spaceName(), {
        objects: { file: { content: ramp, size: 5000 } },
      });
      await space.always("file", { kind: "stall", after });
      const source = createHttpSource({ url: space.url });
      const download = createTestDownload();
      const opening = source.open("file", { ...download, want: { start: 0 } });
      const outcome = opening.then(
        (object) => object.first?.body,
        (error: unknown) => error,
      );
      await until("the store saw the request", async () => (await space.stats()).requests === 1);
      const body = after === 10 ? (await opening).first?.body : undefined;
      const reason = new Error("The client left");
      download.abort(reason);
      if (body === undefined) expect(await outcome).toBe(reason);
      await until("the socket closed", async () => (await space.stats()).abortedAt.length === 1);
      await discardBody(body);
    });
});
