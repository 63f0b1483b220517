/**
 * Baseline: native `pipeTo`, one part after the other, into a FixedLengthStream. The cheapest way to send more than
 * one upstream answer as one. The next parts are already asked for, as many as WINDOW says; what they bring waits in
 * socket buffers.
 */
import { askForParts, type PartsEnv } from "./parts.ts";

declare const FixedLengthStream: new (
  length: number,
) => { readonly readable: ReadableStream; readonly writable: WritableStream };

interface Context {
  waitUntil(promise: Promise<unknown>): void;
}

export default {
  async fetch(request: Request, env: PartsEnv, context: Context): Promise<Response> {
    const parts = await askForParts(request, env);
    const { readable, writable } = new FixedLengthStream(parts.size);
    const send = async () => {
      for (let part = parts.next(); part !== undefined; part = parts.next())
        await (await part).pipeTo(writable, { preventClose: true });
      await writable.close();
    };
    context.waitUntil(send().catch(() => {}));
    return new Response(readable, { headers: { etag: parts.etag } });
  },
};
