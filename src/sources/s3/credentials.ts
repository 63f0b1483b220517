/** An access key as it stands in a secret: `ACCESSKEY:SECRETKEY`, or `ACCESSKEY:SECRETKEY:SESSIONTOKEN`. */

export interface S3Credentials {
  readonly accessKeyId: string;
  /** Never logged. */
  readonly secretAccessKey: string;
  /** Of temporary credentials (STS). */
  readonly sessionToken?: string | undefined;
}

/**
 * Reads the text of a secret binding, from which blanks at its ends were taken (`config/env.ts`). Neither access key ids
 * nor secret keys contain a colon, session tokens might.
 *
 * @returns `undefined` when a part is missing; the text itself belongs in no message
 */
export function parseS3Credentials(text: string): S3Credentials | undefined {
  const [accessKeyId = "", secretAccessKey = "", ...rest] = text.split(":");
  if (accessKeyId === "" || secretAccessKey === "" || /\s/.test(accessKeyId + secretAccessKey))
    return undefined;
  const sessionToken = rest.join(":");
  if (rest.length > 0 && sessionToken === "") return undefined;
  return { accessKeyId, secretAccessKey, ...(rest.length > 0 && { sessionToken }) };
}
