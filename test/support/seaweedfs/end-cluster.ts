/** What every test with a fake cluster does at its end. */
import { absolve } from "../../../src/readahead/suspects.ts";
import { until } from "../until.ts";
import type { FakeCluster } from "./cluster.ts";

/**
 * Ends the cluster; its ports are used again, so what the test made the isolate believe of an address must not reach the
 * next one.
 *
 * @throws Error when a body stays open: the test has left an upstream undrained
 */
export async function endCluster(cluster: FakeCluster): Promise<void> {
  try {
    await until("no body is open", () => cluster.openBodies === 0);
  } finally {
    for (const { host } of cluster.servers)
      for (const name of [host, `filer/${host}`]) absolve(name);
    await cluster.close();
  }
}
