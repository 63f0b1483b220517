/**
 * Where the Worker may connect to. A master's answer names addresses; whoever can change it must not be able to send
 * the Worker, with its tokens, anywhere else. Pure.
 *
 * Without a list the rule is: the hosts of the configured filers and masters themselves (any port), and what is visibly
 * of their network: other addresses of the same private IPv4 block, the loopback by any of its names beside one of them
 * (`localhost`, 127.0.0.0/8, `[::1]`), other single-label names beside a single-label one (a compose network), other
 * names under the same parent domain, where that is one owner's: of three labels or more (`weed.example.com`), or of two
 * in a private zone (`weed.internal`). Anybody can have a name under `co.uk` or `github.io`. All else is refused;
 * `allowed_hosts` replaces the rule.
 */

/** Says whether an address may be connected to. */
export type HostCheck = (host: string) => boolean;

interface Address {
  readonly name: string;
  readonly port: string;
}

/**
 * @param list Entries: `host`, `host:port`, `*.example.com`, `10.0.0.0/8`, or `*`; `undefined` for the rule above
 * @param configured URLs of filers and masters
 * @throws TypeError for an entry that is none of these
 */
export function createHostCheck(
  list: readonly string[] | undefined,
  configured: readonly URL[],
): HostCheck {
  const rules =
    list === undefined
      ? configured.map((url) => networkOf(addressOf(url.host)))
      : list.map(listedRule);
  return (host) => {
    const address = addressOf(host);
    return isHost(address) && rules.some((allows) => allows(address));
  };
}

/** Last labels that no registry sells names under: RFC 2606, 6762 and 8375, ICANN's `internal`, and usual private ones. */
const privateZones = new Set(
  "internal local localhost lan home corp intranet private svc consul test example arpa".split(" "),
);
/** Parents below which hosters, and services that turn names into addresses, hand out names to strangers. */
const sharedZones = [
  ".amazonaws.com",
  ".amazonaws.com.cn",
  ".app.github.dev",
  ".azure.com",
  ".azurecontainer.io",
  ".azurewebsites.net",
  ".cloudapp.net",
  ".devtunnels.ms",
  ".elasticbeanstalk.com",
  ".gitpod.io",
  ".googleusercontent.com",
  ".linodeusercontent.com",
  ".members.linode.com",
  ".ngrok.io",
  ".nip.io",
  ".ovh.net",
  ".replit.dev",
  ".run.app",
  ".scw.cloud",
  ".sslip.io",
  ".up.railway.app",
  ".vultrusercontent.com",
  ".your-server.de",
];

type Rule = (address: Address) => boolean;

function networkOf(own: Address): Rule {
  const block = privateBlock(own.name);
  const labels = own.name.split(".");
  const parent = labels.slice(1).join(".");
  return ({ name }) => {
    if (name === own.name) return true;
    if (block !== undefined && privateBlock(name) === block) return true;
    if (isAddress(own.name) || isAddress(name)) return false;
    if (labels.length === 1) return !name.includes(".");
    return hasOneOwner(labels.slice(1)) && name.endsWith(`.${parent}`);
  };
}

function hasOneOwner(parent: readonly string[]): boolean {
  if (parent.length < 2) return false;
  if (privateZones.has(parent.at(-1) ?? "")) return true;
  const zone = `.${parent.join(".")}`;
  return parent.length > 2 && !sharedZones.some((shared) => zone.endsWith(shared));
}

function listedRule(entry: string, index: number): Rule {
  const text = entry.trim().toLowerCase();
  if (text === "*") return () => true;
  const cidr = /^(\d+\.\d+\.\d+\.\d+)\/(\d{1,2})$/.exec(text);
  if (cidr !== null) {
    const base = ipv4(cidr[1] ?? "");
    const bits = Number(cidr[2]);
    if (base === undefined || bits > 32) throw badEntry(index);
    const divisor = 2 ** (32 - bits);
    return ({ name }) => {
      const ip = ipv4(name);
      return ip !== undefined && Math.floor(ip / divisor) === Math.floor(base / divisor);
    };
  }
  if (text.startsWith("*.")) {
    const suffix = addressOf(text.slice(1));
    if (!/^(\.[a-z0-9-]+)+$/.test(suffix.name)) throw badEntry(index);
    return ({ name, port }) =>
      name.endsWith(suffix.name) && (suffix.port === "" || suffix.port === port);
  }
  const own = addressOf(text);
  if (!isHost(own)) throw badEntry(index);
  return ({ name, port }) => name === own.name && (own.port === "" || own.port === port);
}

/** Says which entry, not what it says: the message may reach clients, and hosts are none of theirs. */
function badEntry(index: number): TypeError {
  return new TypeError(
    `entry ${index + 1} of allowedHosts is none of host, host:port, *.domain, an IPv4 block and *`,
  );
}

function addressOf(host: string): Address {
  const match = /^(.*?)(?::(\d{1,5}))?$/.exec(host.toLowerCase());
  const bracketed = /^(\[[0-9a-f:.]+\])(?::(\d{1,5}))?$/.exec(host.toLowerCase());
  const found = bracketed ?? match;
  return { name: found?.[1] ?? "", port: found?.[2] ?? "" };
}

/** A name, an IPv4 address or a bracketed IPv6 one, and nothing else: no path, user or space. */
function isHost({ name, port }: Address): boolean {
  if (port !== "" && (Number(port) === 0 || Number(port) > 65_535)) return false;
  if (/^\[[0-9a-f:.]+\]$/.test(name)) return true;
  if (!/^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/.test(name)) return false;
  // What connects reads URLs: `010.8.8.8` is 8.8.8.8 there, and `2852039166` or `0xa9fea9fe` an address of another network.
  return URL.parse(`http://${name}`)?.hostname === name;
}

function ipv4(name: string): number | undefined {
  const parts = name.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256))
    return undefined;
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** An IPv4 or (bracketed) IPv6 address, no name. */
function isAddress(name: string): boolean {
  return name.includes(":") || ipv4(name) !== undefined;
}

/** RFC 1918 blocks, and loopback; `undefined` for public and link-local addresses, and for names. */
function privateBlock(name: string): string | undefined {
  // A local cluster calls itself by one name, and is configured by another: the most likely first try.
  if (name === "localhost" || name === "[::1]") return "loopback";
  const ip = ipv4(name);
  if (ip === undefined) return undefined;
  const first = Math.floor(ip / 2 ** 24);
  const second = Math.floor(ip / 2 ** 16) % 256;
  if (first === 10) return "10/8";
  if (first === 127) return "loopback";
  if (first === 172 && second >= 16 && second < 32) return "172.16/12";
  if (first === 192 && second === 168) return "192.168/16";
  return undefined;
}
