import { describe, expect, it } from "vitest";
import { createHostCheck } from "../../../src/sources/seaweedfs/allowed-hosts.ts";

function byDefault(...configured: string[]): (host: string) => boolean {
  return createHostCheck(
    undefined,
    configured.map((host) => new URL(`http://${host}/`)),
  );
}

describe("createHostCheck without a list", () => {
  it("allows the configured hosts at any port", () => {
    const allows = byDefault("filer.example:8888", "203.0.113.5:9333");
    expect(allows("filer.example:8080")).toBe(true);
    expect(allows("203.0.113.5:8080")).toBe(true);
    expect(allows("203.0.113.6:8080")).toBe(false);
    expect(allows("other.example:8080")).toBe(false);
  });

  it("allows addresses of the same private block, and of no other", () => {
    const allows = byDefault("10.1.2.3:8888");
    expect(allows("10.200.0.9:8080")).toBe(true);
    expect(allows("192.168.0.9:8080")).toBe(false);
    expect(allows("127.0.0.1:8080")).toBe(false);
    expect(allows("169.254.169.254")).toBe(false);
    expect(allows("internal.example")).toBe(false);
  });

  it.each(["localhost:8888", "127.0.0.1:8888", "[::1]:8888"])(
    "beside %s, takes the loopback by any of its names, and nothing else for it",
    (configured) => {
      const allows = byDefault(configured);
      for (const host of ["localhost:8080", "LOCALHOST:8080", "127.0.0.1:8080", "127.3.2.1:8080"])
        expect(allows(host), host).toBe(true);
      expect(allows("[::1]:8080")).toBe(true);
      for (const host of ["10.0.0.1:8080", "169.254.169.254", "[::2]:8080", "localhost.example"])
        expect(allows(host), host).toBe(false);
    },
  );

  it("allows names beside a single-label name, and names under a parent domain of one owner", () => {
    const compose = byDefault("filer:8888");
    expect(compose("volume-1:8080")).toBe(true);
    expect(compose("volume.example:8080")).toBe(false);
    expect(compose("10.0.0.1:8080")).toBe(false);
    const domain = byDefault("filer.weed.example.com");
    expect(domain("vol1.weed.example.com:8080")).toBe(true);
    expect(domain("weed.example.com:8080")).toBe(false);
    expect(domain("evil.com:8080")).toBe(false);
    expect(domain("vol1.weed.example.com.evil.com")).toBe(false);
    expect(byDefault("filer.com")("other.com")).toBe(false);
  });

  it.each([
    ["example.co.uk", "evil.co.uk"],
    ["me.github.io", "evil.github.io"],
    ["filer.example.com", "vol1.example.com"],
    ["ec2-1-2-3-4.compute-1.amazonaws.com", "ec2-5-6-7-8.compute-1.amazonaws.com"],
    ["a.us-central1.run.app", "b.us-central1.run.app"],
    ["vps-1.vps.ovh.net", "vps-2.vps.ovh.net"],
    ["1-2-3-4.ip.linodeusercontent.com", "5-6-7-8.ip.linodeusercontent.com"],
    ["a.westeurope.cloudapp.azure.com", "b.westeurope.cloudapp.azure.com"],
    ["filer.eu.ngrok.io", "stranger.eu.ngrok.io"],
    ["filer.jp.ngrok.io", "stranger.jp.ngrok.io"],
    ["filer.up.railway.app", "stranger.up.railway.app"],
    ["me-8888.app.github.dev", "stranger-8080.app.github.dev"],
    ["me-8888.euw.devtunnels.ms", "stranger-8080.euw.devtunnels.ms"],
    ["filer.westeurope.azurecontainer.io", "stranger.westeurope.azurecontainer.io"],
    ["filer.eu-west-1.elasticbeanstalk.com", "stranger.eu-west-1.elasticbeanstalk.com"],
    ["1-2-3-4.ip.members.linode.com", "5-6-7-8.ip.members.linode.com"],
    ["filer.ws-eu1.gitpod.io", "stranger.ws-eu1.gitpod.io"],
    ["filer.kirk.replit.dev", "stranger.kirk.replit.dev"],
    ["filer.internal", "vol1.internal"],
  ])("beside %s, does not take %s for the same network: it may be anybody's", (own, other) => {
    expect(byDefault(`${own}:8888`)(`${other}:8080`)).toBe(false);
    expect(byDefault(`${own}:8888`)(`${own}:8080`)).toBe(true);
  });

  it.each([
    ["filer.weed.internal", "vol1.weed.internal"],
    ["filer.weed.svc", "vol1.weed.svc"],
    ["filer.weed.svc.cluster.local", "vol-0.vol.weed.svc.cluster.local"],
    ["filer.example.co.uk", "vol1.example.co.uk"],
    ["filer.weed.example.com", "a.vol1.weed.example.com"],
  ])("beside %s, allows %s", (own, other) => {
    expect(byDefault(`${own}:8888`)(`${other}:8080`)).toBe(true);
  });

  it.each([
    ["filer:8888", "2852039166:80"],
    ["filer:8888", "0xa9fea9fe:80"],
    ["10.0.0.5:8888", "010.8.8.8:80"],
    ["172.16.0.1:8888", "172.026.0.1:80"],
    ["192.168.1.5:8888", "192.168.010.1:80"],
  ])("beside %s, refuses %s, which a URL takes for another address", (own, other) => {
    expect(byDefault(own)(other)).toBe(false);
    expect(createHostCheck(["10.0.0.0/8", "*"], [])(other)).toBe(false);
  });

  it("refuses what is no host", () => {
    const allows = createHostCheck(["*"], []);
    for (const host of ["", "a/b", "u@h", "h:0", "h:99999", "h?x", "h#x", "h h", "h:80:80", "[::1"])
      expect(allows(host), host).toBe(false);
    expect(allows("[2001:db8::1]:8080")).toBe(true);
  });
});

describe("createHostCheck with a list", () => {
  it("allows what is listed and nothing else, configured hosts included", () => {
    const allows = createHostCheck(
      ["Vol1.example:8080", "vol2.example", "*.cdn.example", "10.0.0.0/9"],
      [new URL("http://filer.example")],
    );
    expect(allows("vol1.example:8080")).toBe(true);
    expect(allows("vol1.example:8081")).toBe(false);
    expect(allows("vol2.example:1")).toBe(true);
    expect(allows("a.b.cdn.example:8080")).toBe(true);
    expect(allows("cdn.example")).toBe(false);
    expect(allows("10.127.0.1")).toBe(true);
    expect(allows("10.128.0.1")).toBe(false);
    expect(allows("filer.example")).toBe(false);
  });

  it.each(["http://a", "a/b", "10.0.0.0/33", "*.", "a b", ""])("refuses the entry %j", (entry) => {
    expect(() => createHostCheck([entry], [])).toThrow(TypeError);
  });
});

it.each([
  ["172.16.0.1", "172.31.255.255", true],
  ["172.16.0.1", "172.32.0.1", false],
  ["172.32.0.1", "172.32.0.2", false],
  ["172.15.0.1", "172.15.0.2", false],
  ["192.168.0.1", "192.168.255.255", true],
  ["192.168.0.1", "192.169.0.1", false],
  ["192.169.0.1", "192.169.0.2", false],
  ["169.254.0.1", "169.254.169.254", false],
])("beside %s, %s is of the same private network: %s", (own, other, expected) => {
  const allows = createHostCheck(undefined, [new URL(`http://${own}:8888/`)]);
  expect(allows(`${other}:8080`)).toBe(expected);
});

it("a port that a list names is the only one", () => {
  const allows = createHostCheck(["*.example.com:8080", "weed:8080"], []);
  expect(["a.example.com:8080", "weed:8080"].map(allows)).toEqual([true, true]);
  const others = ["a.example.com:8081", "a.example.com", "example.com:8080", "weed:8081", "weed"];
  expect(others.filter(allows)).toEqual([]);
});

it.each(["weed:0", "weed:65536", "user@weed", "weed/path", "we ed", "", "010.8.8.8", "2852039166"])(
  "%j is no host, whatever is allowed",
  (host) => {
    expect(createHostCheck(["*"], [])(host)).toBe(false);
  },
);
