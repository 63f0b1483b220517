/** An imported WebCrypto key. workers-types and Node's types agree on the value, not on a global name for its type. */
export type SecretKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;
