import { describe, expect, it } from "vitest";
import { faviconResponse, frontPage, healthPage } from "../../src/http/front-page.ts";

function ask(accept?: string, method = "GET") {
  return new Request("http://edge.example/", { method, headers: accept ? { accept } : {} });
}

describe("frontPage", () => {
  it("says what this is and names the mounts, as text by default", async () => {
    const response = frontPage(ask(), ["files", "origin"]);
    const text = await response.text();
    expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(response.headers.get("content-length")).toBe(String(text.length));
    expect(text).toContain("edge-readahead serves large objects");
    expect(text).toContain("Mounts:\n  files\n  origin\n");
  });

  it("is JSON where that is asked for", async () => {
    const response = frontPage(ask("application/json"), ["files"]);
    expect(await response.json()).toEqual({ name: "edge-readahead", mounts: ["files"] });
  });

  it("is HTML for browsers, names escaped", async () => {
    const response = frontPage(ask("text/html,application/xhtml+xml"), ["<b>&"]);
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    const text = await response.text();
    expect(text).toContain("<li>&#60;b&#62;&#38;</li>");
    expect(text).not.toContain("<b>");
  });

  it("says so when there are none", async () => {
    expect(await frontPage(ask(), []).text()).toContain("There are no plain mounts.");
    expect(await frontPage(ask("text/html"), []).text()).toContain("There are no plain mounts.");
  });

  it("has GET's headers and no body for HEAD", async () => {
    const head = frontPage(ask(undefined, "HEAD"), ["files"]);
    expect([...head.headers]).toEqual([...frontPage(ask(), ["files"]).headers]);
    expect(await head.text()).toBe("");
  });
});

describe("healthPage and faviconResponse", () => {
  it("answer shortly", async () => {
    expect(await healthPage(ask()).text()).toBe("ok\n");
    expect(faviconResponse().status).toBe(204);
  });
});
