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
/**
 * And it says nothing before this time: a kernel takes megabytes in it whatever its client does. Five round trips of
 * 20 ms with 1 MiB in each; a client that stopped after 1 MiB cost the store 9 to 10 MiB without it, 7 with it.
 */
const GULP_MS = 100;

/**
 * Bytes that may be asked for beyond what was delivered.
 *
 * @param delivered Bytes handed to the runtime
 * @param takingMs From the first block handed on to the client's last coming for more
 */
export function askAheadBytes(delivered: number, takingMs: number): number {
  if (takingMs < GULP_MS) return ASK_AHEAD_START;
  const beyondGulp = Math.max(0, delivered - GULP_BYTES);
  return ASK_AHEAD_START + delivered / 2 + beyondGulp * 1.5;
}
