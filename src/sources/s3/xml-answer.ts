/**
 * Reads what an S3 store says in XML: errors and listings. Bounded, never executes entities, trusts no field.
 *
 * fast-xml-parser does the parsing; what comes out of it is untyped, so every field is looked at before it is used.
 */
import { XMLParser } from "fast-xml-parser";
import { ReadaheadError } from "../../errors.ts";
import type { ListEntry } from "../source.ts";

const parser = new XMLParser({
  // Keys are text: "007" and "1e3" must not become numbers, nor lose their blanks.
  parseTagValue: false,
  trimValues: false,
  ignoreAttributes: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  htmlEntities: true,
  isArray: (name) => name === "Contents" || name === "CommonPrefixes",
});

type Node = Readonly<Record<string, unknown>>;

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textOf(node: Node, name: string): string | undefined {
  const value = node[name];
  return typeof value === "string" ? value : undefined;
}

function nodesOf(node: Node, name: string): readonly Node[] {
  const value = node[name];
  return Array.isArray(value) ? value.filter(isNode) : [];
}

function root(xml: string, name: string): Node | undefined {
  let parsed: unknown;
  try {
    parsed = parser.parse(xml);
  } catch {
    return undefined;
  }
  const node = isNode(parsed) ? parsed[name] : undefined;
  return isNode(node) ? node : undefined;
}

/** An error document of a store. */
export interface S3ErrorDocument {
  readonly code: string;
  /** The store's words, to be looked at and never handed on. */
  readonly message?: string | undefined;
  /** Region the bucket is in, where the store says so while refusing. */
  readonly region?: string | undefined;
  /** Size of the object, in an InvalidRange. */
  readonly actualObjectSize?: number | undefined;
}

/** Reads an error document; `undefined` for anything else. */
export function parseS3Error(xml: string): S3ErrorDocument | undefined {
  const error = root(xml, "Error");
  const code = error === undefined ? undefined : textOf(error, "Code")?.trim();
  if (error === undefined || code === undefined || !/^[A-Za-z0-9]{1,64}$/.test(code))
    return undefined;
  const size = textOf(error, "ActualObjectSize");
  return {
    code,
    message: textOf(error, "Message"),
    region: textOf(error, "Region"),
    actualObjectSize: size !== undefined && /^\d{1,15}$/.test(size) ? Number(size) : undefined,
  };
}

/** One page of ListObjectsV2. */
export interface S3Listing {
  readonly entries: readonly ListEntry[];
  readonly prefixes: readonly string[];
  readonly truncated: boolean;
}

/**
 * Reads a page of ListObjectsV2, decoding `encoding-type=url` where the store applied it.
 *
 * @throws ReadaheadError `protocol` when it is no such page
 */
export function parseS3Listing(xml: string): S3Listing {
  const result = root(xml, "ListBucketResult");
  // An empty page has elements still: Name, KeyCount. A parse that gives text is something else.
  if (result === undefined)
    throw new ReadaheadError("protocol", "Upstream's list of keys cannot be read");
  const encoded = textOf(result, "EncodingType") === "url";
  const decode = (text: string): string => {
    if (!encoded) return text;
    try {
      // Stores write a blank as a plus sign here (AWS, Ceph) or as %20 (R2, MinIO).
      return decodeURIComponent(text.replaceAll("+", "%20"));
    } catch (cause) {
      throw new ReadaheadError("protocol", "Upstream's list of keys has a malformed key", {
        cause,
      });
    }
  };
  const entries = nodesOf(result, "Contents").map((node) => {
    const key = textOf(node, "Key");
    const size = textOf(node, "Size");
    if (key === undefined || size === undefined || !/^\d{1,15}$/.test(size))
      throw new ReadaheadError("protocol", "Upstream's list of keys lacks a key or a size");
    return {
      key: decode(key),
      size: Number(size),
      etag: textOf(node, "ETag"),
      lastModified: parseIsoDate(textOf(node, "LastModified")),
      storageClass: /^[A-Z_]{1,40}$/.exec(textOf(node, "StorageClass") ?? "")?.[0],
    };
  });
  const prefixes = nodesOf(result, "CommonPrefixes").flatMap((node) => {
    const prefix = textOf(node, "Prefix");
    return prefix === undefined ? [] : [decode(prefix)];
  });
  return { entries, prefixes, truncated: textOf(result, "IsTruncated")?.trim() === "true" };
}

function parseIsoDate(text: string | undefined): number | undefined {
  const time = Date.parse(text ?? "");
  return Number.isNaN(time) ? undefined : time;
}
