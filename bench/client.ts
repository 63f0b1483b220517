/**
 * The benchmark's clients: a process of its own, so that what a client costs is in no figure of a server.
 *
 * Driven over the IPC channel of `fork`: `{ id, jobs }` in, `{ id, results }` out, one result a job in the same order.
 * The jobs of one message run side by side. It exits when the channel closes.
 */
import { download, type Reading, type Result, type Target } from "./client/download.ts";

export interface Job {
  readonly target: Target;
  readonly reading: Reading;
  /** Start so long after the message, ms: hundreds of clients should not connect in one turn. */
  readonly delayMs?: number | undefined;
}

export interface ClientRequest {
  readonly id: number;
  readonly jobs: readonly Job[];
}

export interface ClientReply {
  readonly id: number;
  readonly results: readonly Result[];
}

async function run(job: Job): Promise<Result> {
  if (job.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, job.delayMs));
  return await download(job.target, job.reading);
}

process.on("message", (request: ClientRequest) => {
  Promise.all(request.jobs.map(run)).then(
    (results) => process.send?.({ id: request.id, results } satisfies ClientReply),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.once("disconnect", () => process.exit(0));
