/**
 * The variables of the environment -> what the handler takes. Validates everything at once and once per
 * environment; all faults are told together, each with its variable and its remedy. Sends no request.
 */
import * as v from "valibot";
import { ReadaheadError } from "../errors.ts";
import type { HandlerOptions } from "../http/handler.ts";
import type { Front, Mount } from "../http/mount.ts";
import { placeOf } from "../http/route.ts";
import { createS3Front, type S3Bucket } from "../http/s3/front.ts";
import { linkAuthorise } from "./access.ts";
import { Bindings, type Env } from "./env.ts";
import { toLimits } from "./limits.ts";
import { toMount } from "./mounts.ts";
import { frontBucket } from "./s3.ts";
import { limitsSchema, type MountTable, mountSchema } from "./schema.ts";
import { createSource } from "./sources.ts";
import { describeIssue } from "./wording.ts";

/** What the configuration says, ready for `createHandler`. */
export interface Config {
  readonly handler: Pick<HandlerOptions, "mounts" | "limits" | "factsMs" | "fronts">;
  /** Whether records are logged as text: consoles that print objects for the eye shorten them. */
  readonly logsText: boolean;
  /** Whether addresses of upstreams may appear in what the mount's readers see. */
  readonly showsReplicas: (mount: string) => boolean;
  /** Kind of a mount's source, for `?explain`. */
  readonly sourceOf: (mount: string) => string | undefined;
}

/** @throws ReadaheadError `config` whose message names every faulty variable and its remedy */
export function readConfig(env: Env): Config {
  const faults: string[] = [];
  const limits = parseLimits(env.LIMITS, faults);
  const tables = parseMounts(env.MOUNTS, faults);
  const bindings = new Bindings(env, faults);
  const mounts: Mount[] = [];
  const buckets: S3Bucket[] = [];
  for (const [name, table] of tables) {
    const variable = `MOUNTS.${name}`;
    const source = createSource(variable, table, bindings);
    const bucket = frontBucket(variable, table, bindings);
    const authorise = linkAuthorise(variable, table, bindings);
    if (source === undefined) continue;
    const mount = toMount(name, table, source, authorise);
    if (bucket === undefined) mounts.push(mount);
    else buckets.push({ ...bucket, mount });
  }
  checkDistinct(tables, ({ prefix }) => [placeOf(prefix)], "prefix", faults);
  checkDistinct(tables, ({ hosts }) => hosts?.map((host) => host.toLowerCase()), "hosts", faults);
  const format = env.LOG_FORMAT ?? "object";
  if (format !== "object" && format !== "json")
    faults.push('LOG_FORMAT must be "object" or "json"');
  if (faults.length > 0) throw new ReadaheadError("config", faults.join("; "));
  const shown = new Set(
    [...tables].filter(([, table]) => table.show_replicas).map(([name]) => name),
  );
  return {
    handler: {
      mounts,
      limits: toLimits(limits),
      factsMs: limits.facts_ms,
      fronts: buckets.length === 0 ? [] : [createFront(buckets)],
    },
    logsText: format === "json",
    showsReplicas: (mount) => shown.has(mount),
    sourceOf: (mount) => tables.get(mount)?.source,
  };
}

function createFront(buckets: readonly S3Bucket[]): Front {
  try {
    return createS3Front({ buckets });
  } catch (cause) {
    const what = cause instanceof TypeError ? cause.message : "The S3 mounts do not go together";
    throw new ReadaheadError("config", `MOUNTS cannot be served: ${what}`, { cause });
  }
}

function parseLimits(value: unknown, faults: string[]): v.InferOutput<typeof limitsSchema> {
  const table = readTable("LIMITS", value, faults);
  return (table && parse(limitsSchema, "LIMITS", table, faults)) ?? {};
}

function parseMounts(value: unknown, faults: string[]): Map<string, MountTable> {
  const mounts = new Map<string, MountTable>();
  const given = readTable("MOUNTS", value ?? {}, faults);
  const tables = Object.entries(given ?? {});
  if (given !== undefined && tables.length === 0)
    faults.push(
      "MOUNTS is missing; add a table to wrangler.toml, [vars.MOUNTS.files] with prefix and source",
    );
  for (const [name, table] of tables) {
    if (!/^[\w-]{1,64}$/.test(name)) {
      faults.push(
        `MOUNTS has a mount named ${JSON.stringify(name.slice(0, 64))}; use letters, digits, - and _`,
      );
      continue;
    }
    const mount = parse(mountSchema, `MOUNTS.${name}`, table, faults);
    if (mount !== undefined) mounts.set(name, mount);
  }
  return mounts;
}

/** An object, or the same as JSON text (`wrangler dev --var`, dashboards, bare workerd's text bindings). */
function readTable(
  variable: string,
  value: unknown,
  faults: string[],
): Record<string, unknown> | undefined {
  if (value === undefined) return undefined;
  let table = value;
  if (typeof value === "string") {
    try {
      table = JSON.parse(value);
    } catch {
      faults.push(
        `${variable} is text that is not JSON; write it as a table in wrangler.toml, or as a JSON object`,
      );
      return undefined;
    }
  }
  if (typeof table === "object" && table !== null && !Array.isArray(table)) return { ...table };
  faults.push(
    `${variable} must be a table, as in [vars.${variable}${variable === "MOUNTS" ? ".files" : ""}]`,
  );
  return undefined;
}

function parse<Schema extends v.GenericSchema>(
  schema: Schema,
  variable: string,
  value: unknown,
  faults: string[],
): v.InferOutput<Schema> | undefined {
  const result = v.safeParse(schema, value, { abortPipeEarly: true });
  if (result.success) return result.output;
  for (const issue of result.issues) faults.push(describeIssue(variable, issue));
  return undefined;
}

/** What requests are told apart by belongs to one mount. */
function checkDistinct(
  tables: ReadonlyMap<string, MountTable>,
  valuesOf: (table: MountTable) => readonly string[] | undefined,
  field: "prefix" | "hosts",
  faults: string[],
): void {
  const owners = new Map<string, string>();
  for (const [name, table] of tables) {
    for (const value of new Set(valuesOf(table))) {
      const owner = owners.get(value);
      if (owner === undefined) owners.set(value, name);
      else
        faults.push(
          `MOUNTS.${name}.${field} is also the ${field} of MOUNTS.${owner}; give each mount its own`,
        );
    }
  }
}
