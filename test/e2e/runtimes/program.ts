/**
 * What runs under Deno or Bun: a library user's program of a few lines, told by its arguments what to do. Every answer is
 * a line of JSON on standard output.
 *
 *     program.ts <url of a store> read <key>      a whole object, from its sixth byte on
 *     program.ts <url of a store> leave <key>     one block, then cancel
 *     program.ts <url of a store> abort <key>     one block, then the caller's signal
 *     program.ts <url of a store> serve           the handler behind the runtime's own server, until killed
 */
import { createHandler, readahead } from "../../../src/index.ts";
import { createObserver } from "../../../src/observe/index.ts";
import { createHttpSource } from "../../../src/sources/http.ts";

type Handle = (request: Request) => Promise<Response>;

/** The two servers, as far as they are used here. */
interface Runtimes {
  readonly Deno?: {
    readonly args: readonly string[];
    serve(
      options: { port: number; hostname: string; onListen(at: { port: number }): void },
      handle: Handle,
    ): unknown;
  };
  readonly Bun?: {
    readonly argv: readonly string[];
    serve(options: { port: number; hostname: string; fetch: Handle }): { readonly port: number };
  };
}

const { Deno: deno, Bun: bun } = globalThis as Runtimes;
const [url = "", task = "", key = ""] = deno?.args ?? bun?.argv.slice(2) ?? [];
const source = createHttpSource({ url });
/** A store that is gone for good is given up after this many attempts. */
const limits = { attempts: 3 };

function say(value: unknown): void {
  console.log(JSON.stringify(value));
}

async function read(): Promise<void> {
  let bytes = 0;
  let wrong = 0;
  for await (const block of readahead({ source, key }, { start: 5 }, { limits })) {
    for (const [i, byte] of block.entries()) if (byte !== (5 + bytes + i) % 251) wrong += 1;
    bytes += block.byteLength;
  }
  say({ bytes, wrong });
}

async function leave(): Promise<void> {
  const reader = readahead({ source, key }).getReader();
  const { done } = await reader.read();
  await reader.cancel("enough");
  say({ done });
}

async function abort(): Promise<void> {
  const controller = new AbortController();
  const reader = readahead({ source, key }, undefined, { signal: controller.signal }).getReader();
  await reader.read();
  controller.abort(new Error("the caller's reason"));
  const failure = await reader.read().then(
    () => "none",
    (error: unknown) => String(error),
  );
  say({ failure });
}

function serve(): void {
  const handler = createHandler({
    mounts: [{ name: "store", prefix: "/", source }],
    limits,
    observer: createObserver({
      write: (record) => say(record),
    }),
  });
  const handle: Handle = (request) => handler(request);
  const hostname = "127.0.0.1";
  deno?.serve({ port: 0, hostname, onListen: ({ port }) => say({ port }) }, handle);
  if (bun !== undefined) say({ port: bun.serve({ port: 0, hostname, fetch: handle }).port });
}

const tasks: Readonly<Record<string, () => void | Promise<void>>> = { read, leave, abort, serve };
try {
  await tasks[task]?.();
} catch (error) {
  say({ error: String(error), kind: (error as { kind?: string }).kind });
}
