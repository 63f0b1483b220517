/**
 * What a mount knows of its cluster, shared by all requests of the isolate: servers, plain data with an expiry, keys.
 * Holds no promise and no I/O object of any request.
 */

import type { PassHeaders } from "../pass-headers.ts";
import type { Facts } from "../source.ts";
import { BusyServers } from "./busy.ts";
import type { DoorOptions } from "./doors.ts";
import type { Entry } from "./entry.ts";
import { EntryCache } from "./entry-cache.ts";
import { type EtagStyle, factsOf } from "./facts.ts";
import { Filer } from "./filer.ts";
import { Locator } from "./locate.ts";
import type { NeedleOptions } from "./needle.ts";
import type { ResolvedOptions } from "./options.ts";
import type { SecretKey } from "./secret-key.ts";
import { SharedLists } from "./shared-lists.ts";
import { kekFilePath, loadKek } from "./sse/kek.ts";
import { Kms } from "./sse/kms.ts";
import type { KeySources } from "./sse/object-keys.ts";
import { createTokenSigner } from "./token.ts";

export interface Cluster {
  readonly options: ResolvedOptions;
  readonly filer: Filer;
  readonly entries: EntryCache;
  readonly lists: SharedLists;
  /** Absent where chunks are read through the filer only. */
  readonly locator: Locator | undefined;
  readonly doors: DoorOptions;
  readonly needles: NeedleOptions;
  /** Needles that turned out to be compressed although their chunk does not say so. */
  readonly gzipped: GzippedNeedles;
  readonly keys: KeySources;
  readonly facts: KnownFacts;
}

export function createCluster(options: ResolvedOptions): Cluster {
  const { fetch, now, access, filerFallback } = options;
  const signer = (secret: string | undefined) =>
    secret === undefined ? undefined : createTokenSigner(secret, now);
  const filer = new Filer({
    urls: options.filers,
    fetch,
    signer: signer(options.filerTokenSecret),
    metadataBytes: options.metadataBytes,
    now,
  });
  const locator =
    access === "filer"
      ? undefined
      : new Locator({
          masters: options.masters,
          fetch,
          address: options.address,
          allows: options.allows,
          ttlMs: options.lookupTtlMs,
          tokens: options.tokensFromMaster,
          dispensable: filerFallback,
          now,
        });
  const doors: DoorOptions = {
    access,
    filerFallback,
    protocol: options.protocol,
    dataCenter: options.dataCenter,
    signer: signer(options.volumeTokenSecret),
    filer,
    locator,
    busy: new BusyServers(now),
    random: options.random,
  };
  return {
    options,
    filer,
    entries: new EntryCache(options.metadataTtlMs, now),
    lists: new SharedLists(),
    locator,
    doors,
    needles: { fetch, allows: options.allows, protocol: options.protocol },
    gzipped: new GzippedNeedles(),
    keys: createKeySources(options, filer),
    facts: new KnownFacts(options.etag, options.pass),
  };
}

/** The wrapping key is loaded when the first object needs it; only the key itself is kept. */
function createKeySources(options: ResolvedOptions, filer: Filer): KeySources {
  const { kmsFetch, now } = options;
  let kek: SecretKey | undefined;
  return {
    async kek(context) {
      if (kek !== undefined) return kek;
      const loaded = await loadKek(
        {
          kek: options.sseKekSecret,
          key: options.sseKeySecret,
          passphrase: options.sseKekPassphrase,
        },
        async () => (await filer.entry(kekFilePath, context))?.content,
      );
      kek = loaded;
      return loaded;
    },
    kms: new Kms({ aws: options.awsKms, vault: options.vault }, kmsFetch, now),
    requireCommitment: options.requireKeyCommitment,
  };
}

/** Facts are made once of an entry: an entity tag over thousands of chunks is milliseconds. */
class KnownFacts {
  readonly #etag: EtagStyle;
  readonly #pass: PassHeaders;
  readonly #known = new WeakMap<Entry, Facts>();

  constructor(etag: EtagStyle, pass: PassHeaders) {
    this.#etag = etag;
    this.#pass = pass;
  }

  of(entry: Entry): Facts {
    const known = this.#known.get(entry);
    if (known !== undefined) return known;
    const facts = factsOf(entry, this.#etag, this.#pass);
    this.#known.set(entry, facts);
    return facts;
  }
}

/** A bounded memory of file ids; forgetting one costs a request. */
class GzippedNeedles {
  readonly #fids = new Set<string>();

  has(fid: string): boolean {
    return this.#fids.has(fid);
  }

  add(fid: string): void {
    if (this.#fids.size >= 10_000) this.#fids.clear();
    this.#fids.add(fid);
  }
}
