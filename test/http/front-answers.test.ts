/** Answers that a front of somebody else gives for a mount: whatever they are made of, the exchange ends. */
import { expect, it } from "vitest";
import type { Exchange } from "../../src/http/exchange.ts";
import { createHandler } from "../../src/http/handler.ts";
import type { Finish } from "../../src/http/observer.ts";
import { useHarness } from "./harness.ts";

const harness = useHarness();

it.each([
  ["redirects", () => Promise.resolve(Response.redirect("https://x.example/", 302)), 302],
  ["fetches", () => fetch("data:text/plain,hi"), 200],
] as const)(
  "ends the exchange of a front that %s on a mount with CORS",
  async (_, make, status) => {
    const cors = { origins: ["https://app.example"] };
    const mount = { name: "files", prefix: "/files/", source: harness.source, cors };
    const finishes: Finish[] = [];
    const answer = (exchange: Exchange) => {
      exchange.download();
      return make();
    };
    const handle = createHandler({
      mounts: [mount],
      observer: {
        begin: () => ({
          onEvent: () => {},
          serverTiming: () => undefined,
          finish: (finish) => {
            finishes.push(finish);
          },
        }),
      },
      fronts: [{ claim: () => ({ mount, rawKey: "x", answer }) }],
    });
    const ended = Promise.withResolvers<unknown>();
    const headers = { origin: "https://app.example" };
    const response = await handle(new Request("https://edge.example/files/x", { headers }), {
      waitUntil: ended.resolve,
    });
    await ended.promise;
    expect(response.status).toBe(status);
    expect(response.headers.get("access-control-allow-origin")).toBe("https://app.example");
    expect(finishes).toMatchObject([{ status, endedBy: "done" }]);
  },
);
