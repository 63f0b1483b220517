/** The origin's process as the bench sees it: its port, its profiles, its counters. */

import { resolve } from "node:path";
import type { Readable } from "node:stream";
import type { Counters, Profile } from "../origin/profile.ts";
import { start } from "./processes.ts";

export interface Origin {
  readonly port: number;
  /** Path of an object that follows the profile: a ramp, or a SeaweedFS file where the profile has chunks. */
  path(profile: string, bytes: number, name: string): string;
  setProfile(name: string, profile: Profile): Promise<void>;
  /** Counters and fault script start again. */
  reset(profile: string): Promise<void>;
  counters(profile: string): Promise<Counters>;
}

export async function startOrigin(): Promise<Origin> {
  const entry = resolve(import.meta.dirname, "../origin.ts");
  const child = start(process.execPath, [entry], { stdio: ["pipe", "pipe", "inherit"] });
  const line = await firstLine(child.stdout);
  const { port, controlPort } = JSON.parse(line) as { port: number; controlPort: number };
  const chunked = new Map<string, number>();
  const control = async (name: string, init: RequestInit): Promise<unknown> => {
    const response = await fetch(`http://127.0.0.1:${controlPort}/profiles/${name}`, init);
    if (!response.ok) throw new Error(`The origin refused profile ${name}: ${response.status}`);
    return await response.json();
  };
  return {
    port,
    path(profile, bytes, name) {
      const chunkBytes = chunked.get(profile);
      if (chunkBytes === undefined) return `/p/${profile}/ramp/${bytes}/${name}`;
      return `/weed/${profile}/${chunkBytes}/${bytes}/${name}`;
    },
    async setProfile(name, profile) {
      if (profile.chunkBytes === undefined) chunked.delete(name);
      else chunked.set(name, profile.chunkBytes);
      await control(name, { method: "PUT", body: JSON.stringify(profile) });
    },
    async reset(profile) {
      await control(profile, { method: "POST" });
    },
    counters: async (profile) => (await control(profile, { method: "GET" })) as Counters,
  };
}

function firstLine(stream: Readable | null): Promise<string> {
  return new Promise((done, fail) => {
    const late = setTimeout(() => fail(new Error("The origin did not start")), 15_000);
    stream?.once("data", (data: Buffer) => {
      clearTimeout(late);
      done(data.toString());
    });
  });
}
