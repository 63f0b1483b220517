/** The command line of the package: finds the command, hands the arguments on, exits with its code. */
import { readFileSync } from "node:fs";
import { sign } from "./sign.ts";
import { tail } from "./tail.ts";

const HELP = `Usage: edge-readahead <command> [options]

  tail    print downloads as they end, and draw the slow ones (tail --help)
  sign    make a link that expires (sign --help)

  --version, --help
`;

/** Of the package: its description lies a folder above, from the sources and from `dist` alike. */
function version(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  const description: unknown = JSON.parse(text);
  const named = typeof description === "object" && description !== null && "version" in description;
  return named ? String(description.version) : "unknown";
}

/** Ends what would go on for ever. */
const leaving = new AbortController();

async function main(argv: readonly string[]): Promise<number> {
  const [command, ...rest] = argv;
  switch (command) {
    case "tail": {
      const leave = (): void => {
        leaving.abort();
        process.stdin.destroy();
      };
      process.once("SIGINT", leave);
      process.once("SIGTERM", leave);
      return tail(rest, {
        input: process.stdin,
        out: (text) => process.stdout.write(text),
        err: (text) => process.stderr.write(text),
        columns: process.stdout.columns,
        isTTY: process.stdout.isTTY,
        env: process.env,
        signal: leaving.signal,
      });
    }
    case "sign":
      return sign(rest);
    case "--help":
    case "-h":
      process.stdout.write(HELP);
      return 0;
    case "--version":
    case "-v":
      process.stdout.write(`${version()}\n`);
      return 0;
    case undefined:
      process.stderr.write(HELP);
      return 2;
    default:
      process.stderr.write(`There is no command ${JSON.stringify(command)}\n\n${HELP}`);
      return 2;
  }
}

// Who pipes into `head` closes early: that is no failure. Any end of the output ends the wrangler that we started.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  leaving.abort();
  if (error.code === "EPIPE") process.exit(0);
  process.stderr.write(`Could not write: ${error.message}\n`);
  process.exit(1);
});

process.exitCode = await main(process.argv.slice(2));
