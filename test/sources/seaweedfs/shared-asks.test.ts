import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { SharedAsks } from "../../../src/sources/seaweedfs/shared-asks.ts";
import { createTestDownload } from "../../support/permits.ts";

const nothing = () => undefined;

describe("SharedAsks", () => {
  it("asks once for those that ask at the same time, and again afterwards", async () => {
    const asks = new SharedAsks<string>();
    const context = createTestDownload();
    let asked = 0;
    const ask = async () => `answer ${++asked}`;
    const find = () => asks.find("q", context, nothing, ask);
    expect(await Promise.all([find(), find(), find()])).toEqual(Array(3).fill("answer 1"));
    expect(await find()).toBe("answer 2");
    expect(getEventListeners(context.signal, "abort")).toHaveLength(0);
  });

  it("asks again where the one who asked has left, and only then", async () => {
    const asks = new SharedAsks<string>();
    const [first, second] = [createTestDownload(), createTestDownload()];
    const leaving = new Promise<string>((_, reject) => {
      first.signal.addEventListener("abort", () => reject(first.signal.reason as Error));
    });
    const left = asks.find("q", first, nothing, () => leaving);
    const waiting = asks.find("q", second, nothing, async () => "answer");
    first.abort(new Error("left"));
    await expect(left).rejects.toThrow("left");
    expect(await waiting).toBe("answer");
  });

  it("has no answer for whoever has left, and asks nothing for it", async () => {
    const asks = new SharedAsks<string>();
    const [gone, other] = [createTestDownload(), createTestDownload()];
    const left = new Error("left");
    gone.abort(left);
    let asked = 0;
    const ask = async () => `answer ${++asked}`;
    await expect(asks.find("q", gone, () => "known", ask)).rejects.toBe(left);
    await expect(asks.find("q", gone, nothing, ask)).rejects.toBe(left);
    expect(asked).toBe(0);
    expect(await asks.find("q", other, () => "known", ask)).toBe("known");
    expect(asked).toBe(0);
  });

  it("fails all who wait with the answer's failure, and asks again after it", async () => {
    const asks = new SharedAsks<string>();
    const context = createTestDownload();
    let asked = 0;
    const ask = () => Promise.reject(new Error(`failure ${++asked}`));
    const find = () => asks.find("q", context, nothing, ask);
    const both = await Promise.allSettled([find(), find()]);
    expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(asked).toBe(1);
    await expect(find()).rejects.toThrow("failure 2");
  });

  it("lets whoever leaves go at once, while another still asks", async () => {
    const asks = new SharedAsks<string>();
    const [first, second] = [createTestDownload(), createTestDownload()];
    const answer = Promise.withResolvers<string>();
    const asking = asks.find("q", first, nothing, () => answer.promise);
    const waiting = asks.find("q", second, nothing, () => answer.promise);
    second.abort(new Error("left"));
    await expect(waiting).rejects.toThrow("left");
    answer.resolve("answer");
    expect(await asking).toBe("answer");
  });
});
