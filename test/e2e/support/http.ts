/** A client that shows an answer as it came over the socket: no decoding, no pooling, no fetch in between. */
import { type IncomingHttpHeaders, request } from "node:http";

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** False: the connection ended before the length that the headers promised. */
  readonly complete: boolean;
}

/** One request on its own connection, read to its end. */
export function ask(
  url: string,
  options: {
    method?: string;
    headers?: Readonly<Record<string, string>>;
    /** Sent as it stands, instead of the URL's own. */
    path?: string;
  } = {},
): Promise<Answered> {
  return new Promise((done, fail) => {
    const sending = request(url, { agent: false, ...options }, (response) => {
      const blocks: Buffer[] = [];
      response.on("data", (block: Buffer) => blocks.push(block));
      // A body that is cut short is an answer, too: `complete` tells.
      response.once("error", () => {});
      response.once("close", () =>
        done({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(blocks),
          complete: response.complete,
        }),
      );
    });
    sending.once("error", fail);
    sending.end();
  });
}
