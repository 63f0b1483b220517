/**
 * Baseline: native `pipeTo`, one part after the other, into a FixedLengthStream. The cheapest way to send more than
 * one upstream answer as one. The next parts are already asked for, as many as WINDOW says; what they bring waits in
 * socket buffers.
 */

declare const FixedLengthStream: new (
  length: number,
) => { readonly readable: ReadableStream; readonly writable: WritableStream };

interface Env {
  readonly ORIGIN: string;
  readonly PART_BYTES: number;
  readonly WINDOW: number;
}

interface Context {
  waitUntil(promise: Promise<unknown>): void;
}

export default {
  async fetch(request: Request, env: Env, context: Context): Promise<Response> {
    const url = env.ORIGIN + new URL(request.url).pathname;
    const read = async (start: number) => {
      const range = `bytes=${start}-${start + env.PART_BYTES - 1}`;
      const response = await fetch(url, { headers: { range } });
      if (response.status !== 206 || response.body === null)
        throw new Error(`Unexpected status ${response.status}`);
      return { response, body: response.body };
    };
    const first = await read(0);
    const size = Number(first.response.headers.get("content-range")?.split("/")[1]);
    const { readable, writable } = new FixedLengthStream(size);
    const send = async () => {
      const queue = [Promise.resolve(first)];
      let next = env.PART_BYTES;
      while (true) {
        while (queue.length < env.WINDOW && next < size) {
          const part = read(next);
          part.catch(() => {});
          queue.push(part);
          next += env.PART_BYTES;
        }
        const part = queue.shift();
        if (part === undefined) break;
        await (await part).body.pipeTo(writable, { preventClose: true });
      }
      await writable.close();
    };
    context.waitUntil(send().catch(() => {}));
    return new Response(readable, { headers: { etag: first.response.headers.get("etag") ?? "" } });
  },
};
