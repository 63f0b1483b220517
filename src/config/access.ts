/** Who may read a mount that speaks plain HTTP: everybody, or whoever has a signed link. */
import type { Authorise } from "../http/mount.ts";
import { createLinkAuthorise } from "../http/signed-link.ts";
import type { Bindings } from "./env.ts";
import type { MountTable } from "./schema.ts";

/** `undefined` for everybody. A mount that should be closed and has no usable secret is a fault, never open. */
export function linkAuthorise(
  variable: string,
  table: MountTable,
  bindings: Bindings,
): Authorise | undefined {
  if (table.protocol === "s3") {
    if (table.link_secret !== undefined)
      bindings.fault(
        `${variable}.link_secret`,
        "is for plain mounts; S3 clients sign with credentials",
      );
    return undefined;
  }
  if (table.link_secret === undefined) {
    if (table.access === "signed")
      bindings.fault(
        `${variable}.link_secret`,
        'is missing; name the secret that links are signed with, as in link_secret = "LINK_KEY"',
      );
    return undefined;
  }
  if (table.access !== "signed")
    return bindings.fault(
      `${variable}.access`,
      'must be "signed" beside link_secret, else everybody may read; or take link_secret out',
    );
  const { link_secret: names } = table;
  const secrets = names.map((name, index) =>
    bindings.secret(`${variable}.link_secret${names.length > 1 ? `.${index}` : ""}`, name),
  );
  const known = secrets.filter((secret) => secret !== undefined);
  if (known.length < secrets.length) return undefined;
  try {
    return createLinkAuthorise(known);
  } catch {
    return bindings.fault(`${variable}.link_secret`, "names a secret of fewer than 32 characters");
  }
}
