/**
 * The benchmark's origin: a process of its own that serves ramp objects of any size without holding them.
 *
 * `node bench/origin.ts` prints one line of JSON with its two ports. Objects are at
 * `/p/<profile>/ramp/<bytes>/<anything>` on the first, and a SeaweedFS cluster's face (origin/seaweedfs.ts). The second is the control endpoint:
 *
 *     PUT /profiles/<name>      set behaviour (JSON of `Profile`), counters at zero
 *     POST /profiles/<name>     reset counters and fault script
 *     GET /profiles/<name>      counters (JSON of `Counters`)
 *
 * It exits when its standard input ends, so that it never outlives who started it.
 */
import { createServer as createHttpServer, type IncomingMessage } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { Connection } from "./origin/connection.ts";
import type { Profile } from "./origin/profile.ts";
import { Profiles } from "./origin/route.ts";

const profiles = new Profiles();
profiles.set("plain", {});

const objects = createServer({ noDelay: true }, (socket) => {
  Connection.serve(socket, profiles);
});

const control = createHttpServer((request, response) => {
  const name = /^\/profiles\/([^/]+)$/.exec(request.url ?? "")?.[1];
  const reply = (status: number, value: unknown) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(value));
  };
  if (name === undefined) {
    reply(404, { error: "Unknown control path" });
  } else if (request.method === "PUT") {
    readJson(request).then(
      (behaviour) => {
        profiles.set(name, behaviour as Profile);
        reply(200, {});
      },
      () => reply(400, { error: "Body is not JSON" }),
    );
  } else {
    const profile = profiles.find(name);
    if (profile === undefined) {
      reply(404, { error: "Unknown profile" });
      return;
    }
    if (request.method === "POST") profile.reset();
    reply(200, profile.counters);
  }
});

async function readJson(request: IncomingMessage): Promise<unknown> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return JSON.parse(text);
}

function listen(server: Pick<Server, "listen" | "address" | "once">): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", 4096, () => resolve((server.address() as AddressInfo).port));
  });
}

const port = await listen(objects);
const controlPort = await listen(control);
console.log(JSON.stringify({ port, controlPort }));

process.stdin.resume();
process.stdin.once("end", () => process.exit(0));
