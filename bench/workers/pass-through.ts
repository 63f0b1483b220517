/** Baseline: the one-line Worker that most people have. One native stream, no JavaScript on the way of the bytes. */

interface Env {
  readonly ORIGIN: string;
}

export default {
  fetch(request: Request, env: Env): Promise<Response> {
    return fetch(new Request(env.ORIGIN + new URL(request.url).pathname, request));
  },
};
