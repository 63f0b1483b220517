/**
 * How many bytes may be asked for beyond what the client has taken (design rule 7).
 *
 * What a client that leaves costs the store is what was asked and not delivered: it starts at 1 MiB and grows with
 * what was delivered, so seekers waste little and long downloads get the whole window. Bytes, never a count: parts
 * that fit are asked for at full width at once.
 */
export const ASK_AHEAD_START = 1024 * 1024;
/** What a client's kernel takes at a gulp says little about the client: up to here a delivered byte counts half. */
const GULP_BYTES = 8 * 1024 * 1024;

/** Bytes that may be asked for beyond what was delivered. */
export function askAheadBytes(delivered: number): number {
  const beyondGulp = Math.max(0, delivered - GULP_BYTES);
  return ASK_AHEAD_START + delivered / 2 + beyondGulp * 1.5;
}

/** True when `bytes` more may be asked for. */
export function mayAsk(askedUndelivered: number, delivered: number, bytes: number): boolean {
  return askedUndelivered + bytes <= askAheadBytes(delivered);
}
