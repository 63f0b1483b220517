/**
 * One GET of a needle, ranged or whole, with its status and headers judged. Decodes nothing but what the platform's
 * fetch does by itself (gzip, when it was asked for).
 *
 * The trap: a volume server cuts a Range out of the STORED bytes when gzip is accepted. So a
 * ranged read asks for identity and refuses an encoding, and a needle known or found to be compressed is read whole.
 */
import { ReadaheadError } from "../../errors.ts";
import type { ByteRange } from "../../readahead/byte-range.ts";
import { parseContentRange } from "../../readahead/content-range.ts";
import type { Ask } from "../../readahead/permits.ts";
import { contentEncoding, parseLength, statusError } from "../../readahead/verify.ts";
import { rangeHeader } from "../request-headers.ts";
import { discard } from "../upstream.ts";
import type { HostCheck } from "./allowed-hosts.ts";
import { isChecksum } from "./crc32c.ts";
import { type NextDoor, type VolumeProtocol, volumeUrl } from "./door.ts";
import { type ClusterContext, ofReplica, type SeaweedfsFetch, send } from "./request.ts";
import { askWithPass, fixedPass } from "./token.ts";

/** What is asked of a needle. */
export interface NeedleRequest {
  readonly fid: string;
  readonly door: NextDoor;
  /** Bytes of the needle's clear form; absent: the whole needle. */
  readonly range?: ByteRange | undefined;
  /** Only for whole needles: take the stored form if it is gzip (the platform decodes it). */
  readonly acceptGzip?: boolean | undefined;
  readonly purpose: Ask["purpose"];
}

export interface NeedleOptions {
  readonly fetch: SeaweedfsFetch;
  readonly allows: HostCheck;
  readonly protocol: VolumeProtocol;
}

/** A judged answer. */
export interface NeedleAnswer {
  readonly response: Response;
  readonly body: ReadableStream<Uint8Array>;
  /** Bytes of the needle's form that was sent; of a gzip answer, compressed bytes. */
  readonly needleBytes: number | undefined;
  readonly gzip: boolean;
  /** The server asked another one: the volume has moved. */
  readonly moved: boolean;
}

/** A server in `-readMode=redirect` names the owner; a second hop would be a loop. */
const redirectStatuses = [301, 302, 307, 308];

/**
 * @throws ReadaheadError with `replica` and `alternatives`: `unavailable` (404 included, by `status`), `throttled`,
 * `denied`, `protocol`, `config` for a redirect outside of allowed_hosts
 */
export async function readNeedle(
  request: NeedleRequest,
  options: NeedleOptions,
  context: ClusterContext,
): Promise<NeedleAnswer> {
  const { door, range } = request;
  const { replica, alternatives } = door;
  let response = await sendTo(request, options, context);
  let moved = /,/.test(response.headers.get("x-amz-request-id") ?? "");
  if (redirectStatuses.includes(response.status)) {
    const location = response.headers.get("location") ?? "";
    discard(response);
    const owner = URL.parse(location, door.url);
    if (owner === null || !options.allows(owner.host))
      throw new ReadaheadError("config", "A volume server redirects outside of allowed_hosts", {
        replica,
        alternatives,
      });
    const url = volumeUrl(owner.host, request.fid, options.protocol);
    // A file's token opens it anywhere; the filer's, every file, so it goes to the filer alone.
    const pass = door.direct ? door.pass : fixedPass(undefined);
    const next = { ...door, replica: owner.host, url, direct: true, pass };
    response = await sendTo({ ...request, door: next }, options, context);
    moved = true;
  }
  try {
    return { ...judge(response, range, replica), moved };
  } catch (error) {
    discard(response);
    throw error instanceof ReadaheadError ? ofReplica(error, replica, alternatives) : error;
  }
}

function sendTo(
  request: NeedleRequest,
  options: NeedleOptions,
  context: ClusterContext,
): Promise<Response> {
  const ask = (opening: Record<string, string>) => sendWith(opening, request, options, context);
  return askWithPass(request.door.pass, ask, discard);
}

async function sendWith(
  opening: Record<string, string>,
  { door, range, acceptGzip, purpose }: NeedleRequest,
  { fetch }: NeedleOptions,
  context: ClusterContext,
): Promise<Response> {
  const { url, replica, alternatives, hurry } = door;
  const headers = {
    ...opening,
    "accept-encoding": range === undefined && acceptGzip === true ? "gzip" : "identity",
    ...(range !== undefined && { range: rangeHeader(range) }),
  };
  try {
    return await send(fetch, { url, replica, purpose, headers, alternatives: hurry }, context);
  } catch (error) {
    if (!(error instanceof ReadaheadError) || context.signal.aborted) throw error;
    throw ofReplica(error, replica, alternatives);
  }
}

function judge(
  response: Response,
  range: ByteRange | undefined,
  replica: string,
): Omit<NeedleAnswer, "moved"> {
  const { status, headers, body } = response;
  const encoding = contentEncoding(headers);
  // The range lies behind the compressed bytes, and says nothing of the clear ones.
  if (status === 416 && range !== undefined && encoding === "gzip" && body !== null)
    return { response, body, needleBytes: undefined, gzip: true };
  if (status >= 400) throw refusal(response, replica);
  if (body === null) throw fault(`A volume server answered ${status} without a body`, status);
  if (range === undefined) {
    if (status !== 200) throw fault(`A volume server answered ${status} to a plain GET`, status);
    if (encoding !== undefined && encoding !== "gzip")
      throw fault(`A needle came with the encoding ${encoding}`, status);
    const needleBytes = parseLength(headers.get("content-length"));
    return { response, body, needleBytes, gzip: encoding === "gzip" };
  }
  if (status !== 206) throw fault(`A volume server answered ${status} to a Range`, status);
  const answered = parseContentRange(headers.get("content-range") ?? "");
  // A range of the gzip bytes; or what the platform made of it. Nothing of it can be used.
  if (encoding !== undefined) return { response, body, needleBytes: answered?.size, gzip: true };
  if (answered?.range?.start !== range.start || answered.range.end !== range.end)
    throw fault(
      "A volume server answered another range than asked, the needle may be shorter",
      206,
    );
  const length = parseLength(headers.get("content-length"));
  if (length !== undefined && length !== range.end - range.start)
    throw fault("A volume server's Content-Length is not that of its Content-Range", 206);
  return { response, body, needleBytes: answered.size, gzip: false };
}

function refusal(response: Response, replica: string): ReadaheadError {
  const { status } = response;
  if (status === 404)
    return new ReadaheadError("unavailable", "A server does not have a chunk of the object", {
      status,
      replica,
    });
  // 400 and 416 speak of our request or of a needle shorter than its chunk.
  if (status === 416)
    return fault("A volume server refused a range inside of the chunk, the needle is shorter", 416);
  return statusError(response, { replica });
}

function fault(message: string, status: number): ReadaheadError {
  return new ReadaheadError("protocol", message, { status });
}

/**
 * Whether a volume server answered: by its checksum, which every volume server sends,
 * whatever stands in between. A proxy may take the ETag away; it gives none of another form, and makes no page of bytes.
 */
export function isNeedle({ response: { headers } }: NeedleAnswer): boolean {
  const etag = headers.get("etag");
  if (etag !== null) return isChecksum(etag);
  return !/^(text\/|application\/(json|xml))/i.test(headers.get("content-type") ?? "");
}
