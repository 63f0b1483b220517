/**
 * The samples: objects that `npm start` puts into the local bucket and its origin serves. Made on the fly from their
 * offset, so that hundreds of megabytes cost neither disk nor memory. Byte for byte the same on every machine.
 */
import { MiB } from "../test/support/units.ts";

/** One object, known at every offset. */
export interface Sample {
  readonly key: string;
  readonly size: number;
  readonly contentType: string;
  /** The bytes `start` up to, not including, `end`; at most a few hundred KiB at once. */
  bytes(start: number, end: number): Uint8Array;
}

/** Prime, so that a slice displaced by whole parts (multiples of 256) shows. */
const rampPeriod = 251;

/** A file whose byte at offset `n` is `n % 251`. */
export function rampSample(key: string, size: number): Sample {
  const cycle = Uint8Array.from({ length: rampPeriod * 4096 }, (_, index) => index % rampPeriod);
  return {
    key,
    size,
    contentType: "application/octet-stream",
    bytes(start, end) {
      const phase = start % rampPeriod;
      if (phase + (end - start) <= cycle.length) return cycle.subarray(phase, phase + end - start);
      return Uint8Array.from({ length: end - start }, (_, index) => (start + index) % rampPeriod);
    },
  };
}

/** A text that compresses well: what a gzip on the way would show. */
export function textSample(key: string): Sample {
  const text = Array.from(
    { length: 200 },
    (_, line) => `Line ${line + 1}: parts arrive out of order and leave in order.\n`,
  ).join("");
  return fixedSample(key, "text/plain; charset=utf-8", new TextEncoder().encode(text));
}

/** Nothing, with a name. */
export function emptySample(key: string): Sample {
  return fixedSample(key, "application/octet-stream", new Uint8Array(0));
}

const wavHeaderBytes = 44;
const sampleRate = 44_100;

/** A WAV of 16-bit mono: a new note every second, so that a player's seek can be heard. */
export function toneSample(key: string, seconds: number): Sample {
  const dataBytes = seconds * sampleRate * 2;
  const header = wavHeader(dataBytes);
  return {
    key,
    size: wavHeaderBytes + dataBytes,
    contentType: "audio/wav",
    bytes(start, end) {
      const bytes = new Uint8Array(end - start);
      for (let at = start; at < end; at++) {
        const inData = at - wavHeaderBytes;
        bytes[at - start] =
          inData < 0 ? (header[at] ?? 0) : (amplitude(inData >> 1) >> ((inData & 1) * 8)) & 0xff;
      }
      return bytes;
    },
  };
}

/** Periods of a whole number of samples: 441 Hz and upwards, starting again every 12 seconds. */
function amplitude(sample: number): number {
  const note = Math.floor(sample / sampleRate) % 12;
  const period = 100 - 4 * note;
  return Math.round(9000 * Math.sin((2 * Math.PI * (sample % period)) / period));
}

/** RIFF, "fmt " of PCM, "data": http://soundfile.sapp.org/doc/WaveFormat/ */
function wavHeader(dataBytes: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(wavHeaderBytes));
  const tag = (at: number, text: string) => {
    for (let index = 0; index < text.length; index++)
      view.setUint8(at + index, text.charCodeAt(index));
  };
  tag(0, "RIFF");
  view.setUint32(4, wavHeaderBytes - 8 + dataBytes, true);
  tag(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // mono
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  tag(36, "data");
  view.setUint32(40, dataBytes, true);
  return new Uint8Array(view.buffer);
}

function fixedSample(key: string, contentType: string, content: Uint8Array): Sample {
  return {
    key,
    size: content.byteLength,
    contentType,
    bytes: (start, end) => content.subarray(start, end),
  };
}

/** What `npm start` offers, in the bucket and behind the origin. */
export function createSamples(rampBytes = 200 * MiB): readonly Sample[] {
  return [
    rampSample("ramp.bin", rampBytes),
    textSample("hello.txt"),
    toneSample("tone.wav", 60),
    emptySample("empty.bin"),
  ];
}

/** Offsets of a sample in blocks of at most 256 KiB, which every sample can make at once. */
export function* blocks(sample: Sample, start = 0, end = sample.size): Generator<Uint8Array> {
  const blockBytes = 256 * 1024;
  for (let at = start; at < end; at += blockBytes)
    yield sample.bytes(at, Math.min(at + blockBytes, end));
}

/** The samples at their usual size. */
export const samples = createSamples();
