/**
 * Where volumes lie, as the master tells it. What is known is plain data of the isolate, with an expiry; a lookup under
 * way belongs to one request (a request must never wait for another one's promise), and there is one per volume at a time.
 */
import { ReadaheadError } from "../../errors.ts";
import { ExpiringMap } from "../../expiring-map.ts";
import { statusError } from "../../readahead/verify.ts";
import type { HostCheck } from "./allowed-hosts.ts";
import { asFields, parseFields, textField } from "./field.ts";
import { type ClusterContext, type SeaweedfsFetch, sendForAll } from "./request.ts";
import { Servers, urlOf } from "./servers.ts";
import { SharedAsks } from "./shared-asks.ts";
import { tokenExpiry } from "./token.ts";

/** One server that has the volume. */
export interface Location {
  /** Host and port. */
  readonly host: string;
  readonly dataCenter: string;
}

/** What a lookup brought. */
export interface Placement {
  readonly locations: readonly Location[];
  /** Read token for the file id that was asked for, where the master hands them out. */
  readonly token?: string | undefined;
  readonly until: number;
}

export interface LocatorOptions {
  readonly masters: readonly URL[];
  readonly fetch: SeaweedfsFetch;
  /** Which of a server's two addresses to use. */
  readonly address: "public" | "internal";
  readonly allows: HostCheck;
  /** How long a volume's locations are believed, ms. */
  readonly ttlMs: number;
  /** Ask for a token with every file id. */
  readonly tokens: boolean;
  /** Chunks can be read without knowing where they lie: a hung master is then given up after seconds, and a bad one left in peace. */
  readonly dispensable: boolean;
  readonly now: () => number;
}

// A volume has a handful of locations, an erasure-coded one 14.
const answerBytes = 256 * 1024;
const maxKept = 10_000;
/** Tokens are used up to this long before they end. */
const tokenMarginMs = 5_000;

/** What the isolate knows. One per mount. */
export class Locator {
  readonly #options: LocatorOptions;
  readonly #servers: Servers;
  readonly #known: ExpiringMap<Placement>;

  constructor(options: LocatorOptions) {
    this.#options = options;
    this.#servers = new Servers(options.masters, options.now);
    this.#known = new ExpiringMap(maxKept, options.now);
  }

  /** Under which name a chunk's placement is kept: tokens are for one file id, locations for the volume. */
  keyOf(fid: string): string {
    return this.#options.tokens ? fid : (fid.split(",", 1)[0] ?? fid);
  }

  known(key: string): Placement | undefined {
    return this.#known.get(key);
  }

  /** Forgets a placement, so that whoever needs it next looks it up; only if it is still the one given. */
  forget(key: string, placement?: Placement): void {
    if (placement === undefined || this.#known.get(key) === placement) this.#known.delete(key);
  }

  /**
   * Asks the masters.
   *
   * @throws ReadaheadError `unavailable` when no master knows the volume or none answers, `config` when every location
   * is outside of allowed_hosts
   */
  async ask(key: string, context: ClusterContext): Promise<Placement> {
    const placement = await this.#servers.ask(
      context,
      (base, alternatives) => this.#askOne(base, key, alternatives, context),
      this.#options.dispensable,
    );
    this.#known.set(key, placement, placement.until);
    return placement;
  }

  async #askOne(
    base: URL,
    key: string,
    alternatives: boolean,
    context: ClusterContext,
  ): Promise<Placement> {
    const { fetch, tokens, ttlMs, now } = this.#options;
    const query = tokens ? `fileId=${key}&read=yes` : `volumeId=${key}`;
    const answer = await sendForAll(
      fetch,
      {
        url: urlOf(base, `/dir/lookup?${query}`),
        replica: base.host,
        purpose: "lookup",
        alternatives,
        headers: { accept: "application/json" },
      },
      context,
      answerBytes,
    );
    const replica = base.host;
    if (answer.status === 404)
      throw new ReadaheadError("unavailable", "No server has a volume of this object", {
        status: 404,
        replica,
      });
    if (answer.status !== 200) throw statusError(answer, { replica });
    const locations = this.#read(answer.text);
    const bearer = /^Bearer (.+)$/i.exec(answer.headers.get("authorization") ?? "")?.[1];
    const token = tokens ? bearer : undefined;
    const tokenUntil = token === undefined ? Infinity : (tokenExpiry(token) ?? Infinity);
    return {
      locations,
      token,
      until: Math.min(now() + ttlMs, tokenUntil - tokenMarginMs),
    };
  }

  #read(text: string): Location[] {
    const list = parseFields(text, "master's answer")["locations"];
    if (!Array.isArray(list) || list.length === 0)
      throw new ReadaheadError("unavailable", "No server has a volume of this object");
    const locations = new Map<string, Location>();
    let refused = 0;
    for (const item of list) {
      const fields = asFields(item, "location");
      const url = textField(fields, "url");
      const publicUrl = textField(fields, "publicUrl");
      const host = this.#options.address === "public" ? publicUrl || url : url || publicUrl;
      if (this.#options.allows(host)) {
        locations.set(host, { host, dataCenter: textField(fields, "dataCenter") });
      } else refused += 1;
    }
    if (locations.size === 0)
      throw new ReadaheadError(
        "config",
        `All ${refused} locations of a volume are outside of allowed_hosts: name the volume servers there`,
      );
    return [...locations.values()];
  }
}

/** The lookups of one open object: shares those under way between its parts. */
export class Lookups {
  readonly #locator: Locator;
  readonly #asks = new SharedAsks<Placement>();

  constructor(locator: Locator) {
    this.#locator = locator;
  }

  /** The placement of a chunk: known, or looked up, at most one lookup at a time for each volume. */
  find(fid: string, context: ClusterContext): Promise<Placement> {
    const locator = this.#locator;
    const key = locator.keyOf(fid);
    return this.#asks.find(
      key,
      context,
      () => locator.known(key),
      () => locator.ask(key, context),
    );
  }
}
