/** The clients' process as the bench sees it: jobs in, results out; and curl, for ranges over one connection. */
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Result } from "../client/download.ts";
import type { ClientReply, ClientRequest, Job } from "../client.ts";
import { start, startFork } from "./processes.ts";
import { scratchFolder } from "./scratch.ts";

export interface Clients {
  /** Runs the jobs side by side; results in the same order. Rejects when the clients' process ends. */
  run(jobs: readonly Job[]): Promise<readonly Result[]>;
}

export function startClients(): Clients {
  const child = startFork(resolve(import.meta.dirname, "../client.ts"));
  const waiting = new Map<number, (results: readonly Result[]) => void>();
  const failing = new Set<(error: Error) => void>();
  let nextId = 0;
  child.on("message", (reply: ClientReply) => {
    waiting.get(reply.id)?.(reply.results);
    waiting.delete(reply.id);
  });
  child.once("exit", () => {
    for (const fail of failing) fail(new Error("The clients' process ended"));
  });
  return {
    run(jobs) {
      return new Promise((done, fail) => {
        const id = nextId++;
        failing.add(fail);
        waiting.set(id, (results) => {
          failing.delete(fail);
          done(results);
        });
        child.send({ id, jobs } satisfies ClientRequest);
      });
    },
  };
}

/**
 * Has one curl ask for consecutive ranges over one kept-alive connection. `next` gives each its own range; curl's
 * connection cache spans them.
 *
 * @returns when it ended, in milliseconds since the epoch
 * @throws Error when curl fails or is not there
 */
export async function curlRanges(url: string, bytes: number, partBytes: number): Promise<number> {
  const folder = scratchFolder("curl");
  const entries: string[] = [];
  for (let at = 0; at < bytes; at += partBytes) {
    const range = `${at}-${Math.min(bytes, at + partBytes) - 1}`;
    entries.push(`url = "${url}"\nrange = ${range}\noutput = /dev/null\nsilent\nfail\n`);
  }
  writeFileSync(join(folder, "ranges"), entries.join("next\n"));
  const child = start("curl", ["-K", join(folder, "ranges")], { stdio: "ignore" });
  await new Promise<void>((done, fail) => {
    child.once("error", () => fail(new Error("curl is not installed")));
    child.once("exit", (code) =>
      code === 0 ? done() : fail(new Error(`curl ended with code ${code}`)),
    );
  });
  return Date.now();
}
