/**
 * Baseline: the cheapest loop in JavaScript that could resume what breaks, because it sees every byte: `readAtLeast` of
 * 1 MiB blocks, handed to a stream that is pulled. No memory is bounded, nothing is checked, resumed or read ahead but
 * the requests. What it costs above `pipeTo` is what the runtime asks for bytes that JavaScript touches.
 */
import { askForParts, type PartsEnv } from "./parts.ts";

const blockBytes = 1024 * 1024;

interface AtLeastReader {
  readAtLeast(min: number, view: Uint8Array): Promise<{ value?: Uint8Array; done: boolean }>;
}

export default {
  async fetch(request: Request, env: PartsEnv): Promise<Response> {
    const parts = await askForParts(request, env);
    let reader: AtLeastReader | undefined;
    const source = {
      expectedLength: parts.size,
      async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
        for (;;) {
          if (reader === undefined) {
            const part = parts.next();
            if (part === undefined) return controller.close();
            reader = (await part).getReader({ mode: "byob" }) as unknown as AtLeastReader;
          }
          const { value, done } = await reader.readAtLeast(blockBytes, new Uint8Array(blockBytes));
          if (done || value === undefined) reader = undefined;
          if (value === undefined || value.byteLength === 0) continue;
          return controller.enqueue(value);
        }
      },
    };
    const stream = new ReadableStream<Uint8Array>(source, { highWaterMark: 0 });
    return new Response(stream, { headers: { etag: parts.etag } });
  },
};
