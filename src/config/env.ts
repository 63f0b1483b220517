/**
 * What the Worker finds in its environment: three variables with fixed names, and bindings whose names the configuration
 * chooses. Looks bindings up and notes what is missing; reads no variable itself.
 */

import type { R2BucketBinding } from "../sources/r2.ts";

/** `env` of the Worker. Everything but the variables named here is a binding that a mount refers to by name. */
export interface Env {
  /** One table per mount; an object, or the same as JSON text. */
  readonly MOUNTS?: unknown;
  /** Limits of every mount; an object, or the same as JSON text. */
  readonly LIMITS?: unknown;
  /** How records are logged: `object` (default; Workers Logs index its fields), or `json`, one line of text. */
  readonly LOG_FORMAT?: unknown;
  readonly [binding: string]: unknown;
}

/** A service, VPC network or mTLS binding, as far as sources use it: each hands over its own kind of `init`. */
export interface FetcherBinding {
  fetch(url: string, init: object): Promise<Response>;
}

/**
 * Finds bindings by name. What is missing is noted with the variable that named it, not thrown: a person wants to read
 * all faults at once.
 */
export class Bindings {
  readonly #env: Env;
  readonly #faults: string[];

  constructor(env: Env, faults: string[]) {
    this.#env = env;
    this.#faults = faults;
  }

  /** Notes a fault: the variable, then what is wrong and the remedy. Neither may hold a secret or an address. */
  fault(variable: string, message: string): undefined {
    this.#faults.push(`${variable} ${message}`);
    return undefined;
  }

  /** The text of a secret; `undefined` where no name is given, or with a fault where there is no such secret. */
  secret(variable: string, name: string | undefined): string | undefined {
    if (name === undefined) return undefined;
    const value = this.#env[name];
    if (typeof value === "string" && value.trim() !== "") return value.trim();
    return this.fault(
      variable,
      looksLikeName(name)
        ? `names the secret ${name}, which this Worker does not have; set it with: npx wrangler secret put ${name} (for wrangler dev: a line ${name}=... in .dev.vars)`
        : "names a secret that this Worker does not have (the name is not shown: it may be the secret itself)",
    );
  }

  /** The Fetcher binding of this name; `undefined` as for `secret`. */
  fetcher(variable: string, name: string | undefined): FetcherBinding | undefined {
    if (name === undefined) return undefined;
    const value = this.#env[name];
    if (isFetcher(value)) return value;
    return this.fault(
      variable,
      `names the binding ${name}, which is no service, VPC or mTLS binding of this Worker; add it to wrangler.toml`,
    );
  }

  /** The R2 binding of this name; `undefined` with a fault where there is none. */
  bucket(variable: string, name: string): R2BucketBinding | undefined {
    const value = this.#env[name];
    if (isBucket(value)) return value;
    return this.fault(
      variable,
      `names the binding ${name}, which is no R2 bucket of this Worker; add [[r2_buckets]] with binding = "${name}" to wrangler.toml`,
    );
  }
}

/** False for what may be a secret pasted in the place of its name: faults are told to everybody. */
function looksLikeName(name: string): boolean {
  return /^[A-Z][A-Z0-9_]{0,31}$/.test(name);
}

function isFetcher(value: unknown): value is FetcherBinding {
  return hasMethod(value, "fetch");
}

function isBucket(value: unknown): value is R2BucketBinding {
  return hasMethod(value, "get") && hasMethod(value, "head");
}

function hasMethod(value: unknown, name: string): boolean {
  return (
    typeof value === "object" && value !== null && typeof Reflect.get(value, name) === "function"
  );
}
