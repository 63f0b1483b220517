/**
 * Reads summary records, and faults that kept one from being written, out of the Local Explorer of a running
 * `wrangler dev`, by SQL: there is no tail protocol locally. Read only.
 *
 * The endpoint and the tables (`logs`: trace_id, seq, ts_ms, level, message as JSON text) are those of wrangler 4.155; the
 * address is not documented as stable, so a failure says what was asked. Can go when `wrangler tail` works locally.
 */
import * as v from "valibot";
import { RECORD_MARKER } from "../src/observe/record.ts";
import { type Told, toldByLog } from "./trace-items.ts";

const QUERY_PATH = "/cdn-cgi/explorer/api/local/observability/query";

/** Rows asked for at a time. A record is under 8 KB. */
const PAGE_ROWS = 200;

/** Longest wait for the local server's answer, ms: it is on this machine. */
const ANSWER_TIMEOUT_MS = 5000;

const answer = v.object({
  success: v.literal(true),
  result: v.object({ columns: v.array(v.string()), rows: v.array(v.array(v.unknown())) }),
});

/** The records that `wrangler dev` has kept. */
export interface LocalExplorer {
  /** Records logged since the last call (at the first: all that are kept), oldest first. @throws Error when it cannot be read */
  next(): Promise<Told[]>;
}

/** @param origin Where `wrangler dev` listens, `http://localhost:8787` */
export function createLocalExplorer(origin: string): LocalExplorer {
  let seen = 0;
  return {
    async next() {
      const told: Told[] = [];
      for (;;) {
        const rows = await queryLocal(
          origin,
          `select rowid, ts_ms, message from logs where rowid > ${seen} and message like '%${RECORD_MARKER}%' ` +
            `order by rowid limit ${PAGE_ROWS}`,
        );
        for (const [rowid, atMs, message] of rows) {
          seen = Math.max(seen, Number(rowid));
          told.push(...toldByLog(parse(message), Number(atMs), null));
        }
        if (rows.length < PAGE_ROWS) return told;
      }
    },
  };
}

/** Runs one SQL query over what `wrangler dev` recorded (`spans`, `logs`). @throws Error when there is no such thing there */
export async function queryLocal(origin: string, sql: string): Promise<unknown[][]> {
  const url = new URL(QUERY_PATH, origin);
  let response: Response;
  try {
    response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ sql }),
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
  } catch (cause) {
    throw new Error(`Could not reach wrangler dev at ${origin}`, { cause });
  }
  const parsed = v.safeParse(answer, await response.json().catch(() => undefined));
  if (!parsed.success)
    throw new Error(
      `Could not read the Local Explorer at ${url.href}, status ${response.status}: wrangler 4.155 or newer is needed, ` +
        "without X_LOCAL_OBSERVABILITY=false",
    );
  return parsed.output.result.rows;
}

function parse(message: unknown): unknown {
  if (typeof message !== "string") return message;
  try {
    return JSON.parse(message);
  } catch {
    return undefined;
  }
}
