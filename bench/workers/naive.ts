/** Baseline: the loop that tutorials show. Every few kilobytes pass through JavaScript, and the length is lost. */

interface Env {
  readonly ORIGIN: string;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const response = await fetch(env.ORIGIN + new URL(request.url).pathname);
    if (response.body === null) return response;
    const reader = response.body.getReader();
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    });
    return new Response(body, { status: response.status });
  },
};
