/** What `npm start` can be told: flags, or variables where there is no room for flags. */
import { parseArgs } from "node:util";

const HELP = `Usage: npm start -- [options]

  --port <n>           of the Worker (8787, or PORT)
  --origin-port <n>    of the HTTP origin (8788, or ORIGIN_PORT)
  --delay <ms>         of every answer of the origin and the cluster (20, or ORIGIN_DELAY_MS)
  --ramp-mib <n>       size of the sample ramp.bin (200, or RAMP_MIB)
  --persist-to <dir>   where the local bucket lies (.wrangler/state, or PERSIST_TO)
  --empty              no samples
  --quiet              no welcome, and of wrangler's log errors alone
`;

export interface StartFlags {
  readonly port: number;
  readonly originPort: number;
  readonly delayMs: number;
  readonly rampMib: number;
  readonly persistTo: string;
  readonly empty: boolean;
  readonly quiet: boolean;
}

/** Reads the command line; says how it is used and ends the process where it cannot be read, or was asked to. */
export function readFlags(): StartFlags {
  const { env } = process;
  try {
    const { values } = parseArgs({
      options: {
        port: { type: "string", default: env["PORT"] ?? "8787" },
        "origin-port": { type: "string", default: env["ORIGIN_PORT"] ?? "8788" },
        delay: { type: "string", default: env["ORIGIN_DELAY_MS"] ?? "20" },
        "persist-to": { type: "string", default: env["PERSIST_TO"] ?? ".wrangler/state" },
        "ramp-mib": { type: "string", default: env["RAMP_MIB"] ?? "200" },
        empty: { type: "boolean", default: false },
        quiet: { type: "boolean", default: false },
        help: { type: "boolean", short: "h" },
      },
    });
    if (values.help === true) {
      process.stdout.write(HELP);
      process.exit(0);
    }
    const ports = {
      port: port("--port", values.port),
      originPort: port("--origin-port", values["origin-port"]),
    };
    if (ports.port === ports.originPort)
      throw new Error("--port and --origin-port must be two ports");
    return {
      ...ports,
      delayMs: number("--delay", values.delay),
      rampMib: number("--ramp-mib", values["ramp-mib"]),
      persistTo: values["persist-to"],
      empty: values.empty,
      quiet: values.quiet,
    };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
    process.exit(2);
  }
}

function port(flag: string, text: string): number {
  const value = number(flag, text);
  if (value >= 1 && value <= 65_535) return value;
  throw new Error(`${flag} must be from 1 to 65535, not ${text}`);
}

function number(flag: string, text: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text);
  throw new Error(`${flag} must be a number, not "${text}"`);
}
