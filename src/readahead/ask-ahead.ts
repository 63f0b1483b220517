/**
 * How many bytes may be asked for beyond what the client has taken.
 *
 * What a client that leaves costs the store is what was asked and not delivered: it starts at 1 MiB and grows with
 * what was delivered, so seekers waste little and long downloads get the whole window. Bytes, never a count: parts
 * that fit are asked for at full width at once.
 */
const ASK_AHEAD_START = 1024 * 1024;
/**
 * What was delivered says nothing about the client before this time: a kernel takes megabytes in it whatever its client
 * does. Five round trips of 20 ms with 1 MiB in each. A client that stopped after 1 MiB cost the store 9 to 10 MiB
 * without it, 7 with it, and 13 with 80 ms; 128 MiB from 20 ms away take a twentieth longer.
 */
const GULP_MS = 100;
/** As much as a kernel takes: up to here a byte counts half; beyond, the growing parts of a window are bound enough. */
const GULP_BYTES = 8 * 1024 * 1024;

/**
 * Bytes that may be asked for beyond what was delivered.
 *
 * @param delivered Bytes handed to the runtime
 * @param takingMs From the first block handed on to the client's last coming for more, without its pauses
 */
export function askAheadBytes(delivered: number, takingMs: number): number {
  if (takingMs < GULP_MS) return ASK_AHEAD_START;
  if (delivered > GULP_BYTES) return Infinity;
  return ASK_AHEAD_START + delivered / 2;
}
