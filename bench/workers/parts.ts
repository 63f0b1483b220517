/** Parts of an object, asked for some ahead: what the baselines that join several answers have in common. */

export interface PartsEnv {
  readonly ORIGIN: string;
  readonly PART_BYTES: number;
  readonly WINDOW: number;
}

export interface Parts {
  readonly etag: string;
  readonly size: number;
  /** The next part's body, in order; `undefined` behind the last. Asks for as many more as WINDOW says. */
  next(): Promise<ReadableStream<Uint8Array>> | undefined;
}

/** Asks for the first part, and learns the size from its answer. */
export async function askForParts(request: Request, env: PartsEnv): Promise<Parts> {
  const url = env.ORIGIN + new URL(request.url).pathname;
  const ask = async (start: number) => {
    const range = `bytes=${start}-${start + env.PART_BYTES - 1}`;
    const response = await fetch(url, { headers: { range } });
    if (response.status !== 206 || response.body === null)
      throw new Error(`Unexpected status ${response.status}`);
    return { headers: response.headers, body: response.body };
  };
  const { headers, body } = await ask(0);
  const size = Number(headers.get("content-range")?.split("/")[1]);
  const queue: Promise<ReadableStream<Uint8Array>>[] = [Promise.resolve(body)];
  let position = env.PART_BYTES;
  return {
    etag: headers.get("etag") ?? "",
    size,
    next() {
      while (queue.length < env.WINDOW && position < size) {
        const part = ask(position).then((answer) => answer.body);
        part.catch(() => {});
        queue.push(part);
        position += env.PART_BYTES;
      }
      return queue.shift();
    },
  };
}
