/** What the record says of requests that the S3 front refuses: why, in a code, and never a secret. */
import { describe, expect, it } from "vitest";
import { ReadaheadError } from "../../../src/errors.ts";
import { createObserver } from "../../../src/observe/observer.ts";
import type { SummaryRecord } from "../../../src/observe/record.ts";
import type { Source } from "../../../src/sources/source.ts";
import { ramp } from "../../support/object-bytes.ts";
import { until } from "../../support/until.ts";
import { createEndpoint, origin, type SignOptions, size, whole } from "./support.ts";

async function recordOf(path: string, sign?: SignOptions, source?: Source): Promise<SummaryRecord> {
  const records: SummaryRecord[] = [];
  const observer = createObserver({ write: (record) => void records.push(record) });
  const endpoint = createEndpoint({ observer, ...(source !== undefined && { source }) });
  endpoint.fake.space.store("key", { content: ramp, size });
  const response =
    sign === undefined
      ? await endpoint.fetch(new Request(origin + path))
      : await endpoint.ask(path, sign);
  await response.arrayBuffer();
  await until("the record is there", () => records.length === 1);
  const [record] = records;
  if (record === undefined) throw new Error("No record");
  expect(JSON.stringify(record)).not.toContain(whole.secretAccessKey);
  return record;
}

const wrong = { ...whole, secretAccessKey: "wrong" };

describe("a request that the S3 front refuses", () => {
  it.each<[string, SignOptions | undefined, number, string]>([
    ["/media/key", { client: wrong }, 403, "SignatureDoesNotMatch"],
    ["/media/key", { client: { ...whole, accessKeyId: "AKNOBODY" } }, 403, "InvalidAccessKeyId"],
    ["/media/key", { at: Date.now() - 3_600_000 }, 403, "RequestTimeTooSkewed"],
    ["/media/key", undefined, 403, "AccessDenied"],
    ["/open/key?acl", undefined, 501, "NotImplemented"],
    ["/media/key?partNumber=0", {}, 400, "InvalidArgument"],
    ["/media/key", { headers: { "if-match": '"v0"' } }, 412, "precondition-failed"],
    ["/media/nothing", {}, 404, "not-found"],
    ["/media/key", { headers: { range: "bytes=999999-" } }, 416, "unsatisfiable"],
  ])("%s %o is recorded as %i %s", async (path, sign, status, kind) => {
    const record = await recordOf(path, sign);
    expect(record).toMatchObject({ status, outcome: "refused", error: { kind } });
    expect(record.error?.message).toBeTruthy();
  });
});

it("a list that the store fails is recorded as the store's failure", async () => {
  const away = new ReadaheadError("unavailable", "Store answered 500");
  const source: Source = { open: () => Promise.reject(away), list: () => Promise.reject(away) };
  expect(await recordOf("/media?list-type=2", {}, source)).toMatchObject({
    outcome: "upstream-failed",
    endedBy: "upstream",
    error: { kind: "unavailable" },
  });
});
