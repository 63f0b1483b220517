/**
 * What a person meets beside the objects: `/`, `/healthz`, `/favicon.ico`. Names of mounts are told, nothing of what is
 * in them or behind them.
 */

const what = "edge-readahead serves large objects through a window of parallel ranged reads.";

/** `/`: what this is and which mounts exist; HTML where it is preferred, JSON where asked for, else text. */
export function frontPage(request: Request, names: readonly string[]): Response {
  const accept = request.headers.get("accept") ?? "";
  if (accept.includes("text/html")) return page(request, htmlPage(names), "text/html");
  if (accept.includes("application/json")) {
    const text = `${JSON.stringify({ name: "edge-readahead", mounts: names })}\n`;
    return page(request, text, "application/json");
  }
  const lines = names.length === 0 ? ["There are no plain mounts."] : ["Mounts:", ...names];
  return page(request, `${what}\n${lines.join("\n  ")}\n`, "text/plain");
}

/** `/healthz`: the Worker runs and its configuration was read. Asks no store. */
export function healthPage(request: Request): Response {
  return page(request, "ok\n", "text/plain");
}

/** `/favicon.ico`: there is none, and a browser's asking for one is no error. */
export function faviconResponse(): Response {
  return new Response(null, { status: 204, headers: { "cache-control": "max-age=86400" } });
}

function page(request: Request, text: string, type: string): Response {
  const headers = new Headers({
    "content-type": `${type}; charset=utf-8`,
    "content-length": String(new TextEncoder().encode(text).byteLength),
    "cache-control": "no-store",
    vary: "Accept",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
  });
  return new Response(request.method === "HEAD" ? null : text, { headers });
}

function htmlPage(names: readonly string[]): string {
  const list =
    names.length === 0
      ? "<p>There are no plain mounts.</p>"
      : `<p>Mounts:</p>\n<ul>\n${names.map((name) => `<li>${escapeHtml(name)}</li>`).join("\n")}\n</ul>`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>edge-readahead</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}</style>
<h1>edge-readahead</h1>
<p>${what}</p>
${list}
</html>
`;
}

/** Text for HTML, in content and in quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
