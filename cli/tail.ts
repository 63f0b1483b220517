/**
 * `edge-readahead tail`: a line per download as it ends, and a waterfall for those that were slow, failed or chosen.
 *
 * Reads `wrangler tail --format json` on standard input, or runs it itself (when standard input is a terminal, or a
 * Worker is named), or asks the Local Explorer of `wrangler dev` (`--local`). Keeps nothing. Downloads go to standard
 * output, everything else to standard error. It does not filter by status: a half-read download has an outcome that no
 * `--status` of wrangler lets through.
 */
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { SummaryRecord } from "../src/observe/record.ts";
import { createPaint, formatLine, type Paint } from "./download-line.ts";
import { createJsonDocuments } from "./json-documents.ts";
import { createLocalExplorer } from "./local-explorer.ts";
import { parseTold, type Told } from "./trace-items.ts";
import { formatWaterfall } from "./waterfall.ts";

const TAIL_HELP = `Usage: edge-readahead tail [options] [worker] [-- options of wrangler tail]
       wrangler tail --format json | edge-readahead tail [options]
       edge-readahead tail --local [--url http://localhost:8787]

Prints a line per download as it ends, with the time (UTC). Draws the parts of a download
  --slow MS       that took at least this long
  --failed        that failed, upstream or here
  --request ID    with this id (x-request-id, the ray id)
  --all           whatever came of it

  --json          one record a line instead, of the downloads that would be drawn (all, if none is chosen)
  --local         read the Local Explorer of a running wrangler dev
  --once          with --local: print what is there and end
  --url URL       with --local: where wrangler dev listens (http://localhost:8787)
  --width N       columns; else those of the terminal, or 100
  --rows N        rows of a waterfall at most (64)
  --no-color      no colours (as does the variable NO_COLOR)
`;

/** How often the Local Explorer is asked, ms: it answers in about one. */
const POLL_MS = 500;

/** Width where output is no terminal: fits a side-by-side diff and most logs. */
const DEFAULT_WIDTH = 100;

/** What a tail reads from and writes to; a test hands in its own. */
export interface TailStreams {
  readonly input: AsyncIterable<string | Uint8Array> & { readonly isTTY?: boolean | undefined };
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly columns?: number | undefined;
  readonly isTTY?: boolean | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Ends a tail that would go on for ever. */
  readonly signal?: AbortSignal | undefined;
}

interface TailOptions {
  readonly slowMs: number | undefined;
  readonly failed: boolean;
  readonly request: string | undefined;
  readonly all: boolean;
  readonly json: boolean;
  readonly width: number;
  readonly rows: number;
  readonly paint: Paint;
}

/** @returns the exit code: 0, 1 when the input could not be had, 2 for wrong arguments */
export async function tail(argv: readonly string[], streams: TailStreams): Promise<number> {
  let values: ReturnType<typeof parseTailArgs>["values"];
  let positionals: string[];
  try {
    ({ values, positionals } = parseTailArgs(argv));
    checkTailArgs({ values, positionals });
  } catch (error) {
    streams.err(`${error instanceof Error ? error.message : String(error)}\n\n${TAIL_HELP}`);
    return 2;
  }
  if (values.help === true) {
    streams.out(TAIL_HELP);
    return 0;
  }
  const color =
    values["no-color"] !== true && (streams.env["NO_COLOR"] ?? "") === "" && streams.isTTY === true;
  const printer = createPrinter(streams, {
    slowMs: values.slow === undefined ? undefined : Number(values.slow),
    failed: values.failed === true,
    request: values.request,
    all: values.all === true,
    json: values.json === true,
    width: values.width === undefined ? (streams.columns ?? DEFAULT_WIDTH) : Number(values.width),
    rows: Number(values.rows ?? 64),
    paint: createPaint(color),
  });
  try {
    if (values.local === true)
      await tailLocal(
        values.url ?? "http://localhost:8787",
        values.once === true,
        printer,
        streams.signal,
      );
    else if (streams.input.isTTY === true || positionals.length > 0)
      return await tailWrangler(positionals, printer, streams);
    else await tailText(streams.input, printer, streams.signal);
    return 0;
  } catch (error) {
    streams.err(`${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  } finally {
    printer.end();
  }
}

function parseTailArgs(argv: readonly string[]) {
  return parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      slow: { type: "string" },
      failed: { type: "boolean" },
      request: { type: "string" },
      all: { type: "boolean" },
      json: { type: "boolean" },
      local: { type: "boolean" },
      once: { type: "boolean" },
      url: { type: "string" },
      width: { type: "string" },
      rows: { type: "string" },
      "no-color": { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
}

/** @throws TypeError that says what an option takes */
function checkTailArgs({ values, positionals }: ReturnType<typeof parseTailArgs>): void {
  if (values.slow !== undefined && !/^\d+$/.test(values.slow))
    throw new TypeError(`--slow takes milliseconds, not ${values.slow}`);
  if (values.width !== undefined && !/^\d+$/.test(values.width))
    throw new TypeError(`--width takes columns, not ${values.width}`);
  if (values.rows !== undefined && !/^[1-9]\d*$/.test(values.rows))
    throw new TypeError(`--rows takes a number of rows, not ${values.rows}`);
  if (values.local !== true && (values.once === true || values.url !== undefined))
    throw new TypeError("--once and --url need --local");
  if (values.local === true && positionals.length > 0)
    throw new TypeError(`--local reads wrangler dev, not ${positionals.join(" ")}`);
  if (values.url !== undefined && !/^https?:/.test(URL.parse(values.url)?.protocol ?? ""))
    throw new TypeError(`--url takes http://host:port, not ${values.url}`);
}

interface Printer {
  print(told: readonly Told[]): void;
  skip(lines: number): void;
  end(): void;
}

function createPrinter(streams: TailStreams, options: TailOptions): Printer {
  const chooses =
    options.all || options.failed || options.slowMs !== undefined || options.request !== undefined;
  let downloads = 0;
  let broken = 0;
  let others = 0;
  let skipped = 0;

  function chosen(record: SummaryRecord): boolean {
    if (options.all || rayOf(record.request) === rayOf(options.request ?? "")) return true;
    if (options.failed && (record.outcome === "failed" || record.outcome === "upstream-failed"))
      return true;
    return options.slowMs !== undefined && record.totalMs >= options.slowMs;
  }

  return {
    print(told) {
      for (const each of told) {
        if (each.kind === "unknown") skipped++;
        else if (each.kind === "other") others++;
        else if (each.kind === "broken") broken++;
        else if (each.kind === "download") downloads++;
        if (options.json) {
          if (each.kind === "download" && (!chooses || chosen(each.record)))
            streams.out(`${escaped(JSON.stringify(each.record))}\n`);
          if (each.kind === "note") streams.err(`${formatLine(each, options.paint) ?? ""}\n`);
          continue;
        }
        const line = formatLine(each, options.paint);
        if (line !== undefined) streams.out(`${line}\n`);
        if (each.kind === "download" && chosen(each.record))
          streams.out(`${formatWaterfall(each.record, options).join("\n")}\n`);
      }
    },
    skip(lines) {
      skipped += lines;
    },
    end() {
      const parts = [downloads === 1 ? "1 download" : `${downloads} downloads`];
      if (broken > 0) parts.push(`${broken} ended by the runtime without a record`);
      if (others > 0) parts.push(others === 1 ? "1 other request" : `${others} other requests`);
      if (skipped > 0) parts.push(skipped === 1 ? "1 line skipped" : `${skipped} lines skipped`);
      streams.err(`${parts.join(", ")}\n`);
    },
  };
}

/** The same JSON without characters that a terminal acts upon: `JSON.stringify` leaves C1 controls and marks of direction. */
function escaped(json: string): string {
  return json.replaceAll(/[\p{Cc}\p{Cf}]/gu, (character) =>
    Array.from({ length: character.length }, (_, i) => character.charCodeAt(i))
      .map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`)
      .join(""),
  );
}

/** Without the data centre that a `cf-ray` header ends with: a record has it or not. */
function rayOf(id: string): string {
  return id.replace(/-[A-Z]{3}$/, "");
}

async function tailText(
  input: AsyncIterable<string | Uint8Array>,
  printer: Printer,
  signal: AbortSignal | undefined,
): Promise<void> {
  const documents = createJsonDocuments();
  const decoder = new TextDecoder();
  try {
    for await (const piece of input) {
      const text = typeof piece === "string" ? piece : decoder.decode(piece, { stream: true });
      for (const value of documents.push(text)) printer.print(parseTold(value));
    }
  } catch (error) {
    // Ctrl-C closes the input under the reader.
    if (!isOver(signal)) throw error;
  } finally {
    documents.end();
    printer.skip(documents.skipped);
  }
}

async function tailLocal(
  url: string,
  once: boolean,
  printer: Printer,
  signal: AbortSignal | undefined,
): Promise<void> {
  const explorer = createLocalExplorer(url);
  const pause = signal === undefined ? {} : { signal };
  do {
    printer.print(await explorer.next());
    if (once) return;
    await sleep(POLL_MS, undefined, pause).catch(() => {});
  } while (!isOver(signal));
}

function isOver(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

async function tailWrangler(
  args: readonly string[],
  printer: Printer,
  streams: TailStreams,
): Promise<number> {
  const wrangler = spawn("npx", ["wrangler", "tail", "--format", "json", ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    // npx is a batch file there, which only a shell runs.
    shell: process.platform === "win32",
    ...(streams.signal === undefined ? {} : { signal: streams.signal }),
  });
  const code = new Promise<number>((resolve, reject) => {
    wrangler.on("error", (cause) => {
      if (isOver(streams.signal)) resolve(0);
      else
        reject(
          new Error("Could not run wrangler tail with npx: is wrangler installed here?", { cause }),
        );
    });
    // Killed, it has no status.
    wrangler.on("close", (status) => resolve(status ?? (isOver(streams.signal) ? 0 : 1)));
  });
  code.catch(() => {});
  await tailText(wrangler.stdout, printer, streams.signal);
  return code;
}
