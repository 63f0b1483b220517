/**
 * Puts samples into the local R2 bucket of a running `wrangler dev`, through Local Explorer's door to it. What is there
 * with the right size stays as it is.
 */
import { request } from "node:http";
import * as v from "valibot";
import { blocks, type Sample } from "./samples.ts";

export interface SeedOptions {
  /** Address of `wrangler dev`. */
  readonly base: string;
  readonly bucket: string;
  readonly samples: readonly Sample[];
  readonly log: (line: string) => void;
}

const listing = v.object({
  result: v.array(v.object({ key: v.string(), size: v.number() })),
});

/** @throws Error when the bucket cannot be listed or written */
export async function seed({ base, bucket, samples, log }: SeedOptions): Promise<void> {
  const objects = `${base}/cdn-cgi/explorer/api/r2/buckets/${encodeURIComponent(bucket)}/objects`;
  const response = await fetch(objects);
  if (!response.ok) {
    await response.body?.cancel();
    throw new Error(`The local bucket cannot be listed: status ${response.status}`);
  }
  const { result } = v.parse(listing, await response.json());
  const sizes = new Map(result.map(({ key, size }) => [key, size]));
  for (const sample of samples) {
    if (sizes.get(sample.key) === sample.size) continue;
    const start = performance.now();
    await putPatiently(`${objects}/${encodeURIComponent(sample.key)}`, sample);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    log(`Put ${sample.key} (${sample.size} bytes) into the local bucket in ${seconds} s`);
  }
}

/** A source file saved meanwhile makes `wrangler dev` reload, which cuts what is on its way. */
async function putPatiently(url: string, sample: Sample): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await put(url, sample);
    } catch (error) {
      if (attempt === 3) throw error;
    }
  }
}

/** `node:http`, since the simulator wants a Content-Length and `fetch` cannot send one with a stream. */
function put(url: string, sample: Sample): Promise<void> {
  return new Promise((done, fail) => {
    const sending = request(url, {
      method: "PUT",
      headers: { "content-length": sample.size, "content-type": sample.contentType },
    });
    sending.once("error", fail);
    sending.once("response", (response) => {
      response.resume();
      response.once("end", () => {
        if (response.statusCode === 200) done();
        else fail(new Error(`${sample.key} was not stored: status ${response.statusCode}`));
      });
    });
    write(sending, sample).catch(fail);
  });
}

async function write(sending: ReturnType<typeof request>, sample: Sample): Promise<void> {
  for (const block of blocks(sample))
    if (!sending.write(block)) await new Promise((drained) => sending.once("drain", drained));
  sending.end();
}
