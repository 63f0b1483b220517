/**
 * `edge-readahead sign`: makes a link that opens an object of a private mount for a while. Works offline: nothing is
 * asked of the Worker, and the secret is read from the environment or a file, never from an argument (arguments show in
 * process lists and shell histories).
 */
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { signLink } from "../src/http/signed-link.ts";

const variable = "EDGE_READAHEAD_LINK_SECRET";

const HELP = `Usage: edge-readahead sign [options] <url>

Makes a link to an object of a mount with access = "signed".

  --for <time>           how long it holds: 90s, 10m, 12h, 7d (default 1h, at most 7d)
  --folder <path>        opens everything below this path, /films/2026/ say
  --secret-file <file>   holds the mount's link_secret (default: the variable ${variable})
`;

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Where the command writes and what it reads; the process by default. */
export interface SignIo {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const processIo: SignIo = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  env: process.env,
};

/** @returns Exit code: 0, 1 when no link could be made, 2 for wrong usage */
export async function sign(argv: readonly string[], io: SignIo = processIo): Promise<number> {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(argv);
  } catch (error) {
    io.err(`${messageOf(error)}\n\n${HELP}`);
    return 2;
  }
  const { values, positionals } = parsed;
  if (values.help === true) {
    io.out(HELP);
    return 0;
  }
  const [url] = positionals;
  const seconds = parseSeconds(values.for ?? "1h");
  if (seconds === undefined) {
    io.err(`--for takes 90s, 10m, 12h or 7d, not ${values.for ?? ""}\n\n${HELP}`);
    return 2;
  }
  if (url === undefined || positionals.length > 1) {
    io.err(HELP);
    return 2;
  }
  try {
    const secret = await readSecret(values["secret-file"], io);
    const link = await signLink(url, secret, { seconds, scope: values.folder });
    io.out(`${link}\n`);
    return 0;
  } catch (error) {
    io.err(`${messageOf(error)}\n`);
    return 1;
  }
}

function parse(argv: readonly string[]) {
  return parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      for: { type: "string" },
      folder: { type: "string" },
      "secret-file": { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
}

function parseSeconds(text: string): number | undefined {
  const match = /^(\d{1,7})([smhd])$/.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * (unitSeconds[match[2] ?? ""] ?? 0);
}

async function readSecret(file: string | undefined, io: SignIo): Promise<string> {
  const text = file === undefined ? io.env[variable] : await readFile(file, "utf8");
  if (text === undefined)
    throw new Error(`No secret: set ${variable}, or name a file with --secret-file`);
  return text.trim();
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
