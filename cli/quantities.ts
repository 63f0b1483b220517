/** How bytes, rates, durations and ranges are written in a terminal: short, decimal units, right for a column. */

const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** Bytes in decimal units with up to three digits: `999 B`, `4.19 MB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : threeDigits(value)} ${UNITS[unit]}`;
}

/** Bytes per second as MB/s; a dash where no time passed. */
export function formatRate(bytes: number, ms: number): string {
  return ms <= 0 ? "- MB/s" : `${threeDigits(bytes / 1000 / ms)} MB/s`;
}

/** `12 ms`, `3.45 s`, `12 min 5 s`, `3 h 2 min`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${threeDigits(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** Half-open, as everywhere but in HTTP's own headers: `[0, 4194304)`; an unknown end is left open. */
export function formatRanges(ranges: readonly (readonly [number, number | null])[]): string {
  const [first] = ranges;
  if (first === undefined) return "";
  const text = `[${first[0]}, ${first[1] ?? "..."})`;
  return ranges.length === 1 ? text : `${text} and ${ranges.length - 1} more`;
}

function threeDigits(value: number): string {
  return value >= 99.95 ? value.toFixed(0) : value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}
