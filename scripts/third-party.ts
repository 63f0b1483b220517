/** The licences of what a bundle holds: they ask to be in every copy, and a bundle is one. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Metafile } from "esbuild";

/** Packages of which the bundle has at least a byte, by name. */
export function bundledPackages({ outputs }: Metafile): string[] {
  const names = new Set<string>();
  for (const output of Object.values(outputs))
    for (const [file, { bytesInOutput }] of Object.entries(output.inputs)) {
      const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1];
      if (name !== undefined && bytesInOutput > 0) names.add(name);
    }
  return [...names].toSorted();
}

/**
 * Name, version, licence and its text of each package; of one that brings no text, whose it is and where it comes from.
 *
 * @throws Error for a package that names no licence
 */
export async function formatNotices(root: string, names: readonly string[]): Promise<string> {
  const notices = await Promise.all(names.map((name) => formatNotice(root, name)));
  return ["This software holds the following packages.", ...notices].join(
    `\n\n${"-".repeat(80)}\n`,
  );
}

interface Manifest {
  readonly version: string;
  readonly license?: string;
  readonly author?: string | { readonly name: string };
  readonly repository?: string | { readonly url: string };
}

async function formatNotice(root: string, name: string): Promise<string> {
  const folder = join(root, "node_modules", name);
  const manifest: Manifest = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const { version, license, author, repository } = manifest;
  if (license === undefined) throw new Error(`${name} names no licence`);
  const file = (await readdir(folder)).find((entry) => /^licen[cs]e(\.|$)/i.test(entry));
  const text =
    file === undefined
      ? `By ${textOf(author, "name")}, ${textOf(repository, "url")}`
      : await readFile(join(folder, file), "utf8");
  return `${name} ${version} (${license})\n\n${text.trim()}\n`;
}

function textOf<Key extends string>(
  value: string | Readonly<Record<Key, string>> | undefined,
  key: Key,
): string {
  return (typeof value === "object" ? value[key] : value) ?? "unknown";
}
