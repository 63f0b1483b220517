import { describe, expect, it } from "vitest";
import { acceptsCompression, clientAcceptEncoding } from "../../src/http/accept-encoding.ts";

describe("acceptsCompression", () => {
  it.each(["gzip", "gzip, deflate, br", "br;q=0.5", "identity;q=0, *", "GZIP", "deflate , zstd"])(
    "%s does",
    (value) => expect(acceptsCompression(value)).toBe(true),
  );
  it.each([null, "", "identity", "gzip;q=0", "gzip; q=0.0, br;q=0", "identity;q=1, *;q=0"])(
    "%s does not",
    (value) => expect(acceptsCompression(value)).toBe(false),
  );
});

describe("clientAcceptEncoding", () => {
  const request = new Request("http://edge.example/", {
    headers: { "accept-encoding": "br, gzip" },
  });

  it("is the header where nobody replaced it", () => {
    expect(clientAcceptEncoding(request)).toBe("br, gzip");
    expect(clientAcceptEncoding(new Request("http://edge.example/"))).toBeNull();
  });

  it("is what the client sent where the edge replaced it, nothing included", () => {
    for (const sent of ["identity", ""]) {
      const replaced = Object.assign(request.clone(), { cf: { clientAcceptEncoding: sent } });
      expect(clientAcceptEncoding(replaced)).toBe(sent);
    }
    const without = Object.assign(request.clone(), { cf: { colo: "FRA" } });
    expect(clientAcceptEncoding(without)).toBe("br, gzip");
  });
});
