/** What the services that open data keys have in common: how one is asked, and how its answer is read. */
import { ReadaheadError } from "../../../errors.ts";
import { bytesField, type Fields, parseFields } from "../field.ts";
import {
  type ClusterContext,
  type SeaweedfsFetch,
  type SmallAnswer,
  sendForAll,
} from "../request.ts";

/** A data key as it was sealed. */
export interface SealedKey {
  /** Key that the record names; the answer must name the same. */
  readonly keyId: string;
  readonly wrappingKeyId: string;
  readonly ciphertext: string;
  /** Verbatim, however odd (copies store doubled slashes in it). */
  readonly context: Readonly<Record<string, string>>;
}

const answerBytes = 64 * 1024;

/** Sends one question; its answer is judged by the caller, who knows what the service's statuses mean. */
export function askKeyService(
  url: string,
  question: { readonly headers: Record<string, string>; readonly body: string },
  fetch: SeaweedfsFetch,
  context: ClusterContext,
): Promise<SmallAnswer> {
  const replica = new URL(url).host;
  return sendForAll(
    fetch,
    { url, replica, purpose: "key", alternatives: false, method: "POST", ...question },
    context,
    answerBytes,
  );
}

/** The JSON object of an answer. */
export function answerFields({ text }: SmallAnswer): Fields {
  return parseFields(text, "key service's answer");
}

/** The key in an answer. @throws ReadaheadError `protocol` where there is none */
export function keyField(fields: Fields, name: string): Uint8Array<ArrayBuffer> {
  const key = bytesField(fields, name);
  if (key === undefined) throw new ReadaheadError("protocol", "The key service sent no key");
  return key;
}
