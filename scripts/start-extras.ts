/**
 * Further stores that `npm start` offers beside the bucket and the origin: each is started here, brings its mounts,
 * and is closed with everything else.
 */
import { startFakeSeaweedfs } from "../test/support/seaweedfs/start.ts";

export interface ExtrasOptions {
  /** The Worker's own address, for what it prints. */
  readonly base: string;
  readonly delayMs: number;
}

export interface Extras {
  /** Tables of `MOUNTS`. */
  readonly mounts: Readonly<Record<string, object>>;
  /** Secret bindings that the mounts name. */
  readonly secrets: Readonly<Record<string, string>>;
  /** What to try with them. */
  readonly welcome: string;
  close(): Promise<void>;
}

/** A fake SeaweedFS cluster, and the bucket once more as an S3 endpoint. */
export async function startExtras({ base, delayMs }: ExtrasOptions): Promise<Extras> {
  const weed = await startFakeSeaweedfs({ delayMs });
  const cluster = {
    source: "seaweedfs",
    filer: weed.filerUrl,
    master: weed.masterUrl,
    sse_key_secret: "SSE_KEY",
  };
  return {
    mounts: {
      weed: { prefix: "/weed/", ...cluster, explain: true },
      "weed-sequential": {
        prefix: "/weed-sequential/",
        ...cluster,
        window_parts: 1,
        hedge: false,
      },
      media: {
        prefix: "/media/",
        protocol: "s3",
        access: "signed",
        credentials: ["S3_CLIENT_1"],
        source: "r2",
        bucket: "OBJECTS",
      },
    },
    secrets: { S3_CLIENT_1: "local:local-secret-of-npm-start", SSE_KEY: "my-secret" },
    welcome: `
From a SeaweedFS cluster (a fake one, ${delayMs} ms away): first in sequence, then ahead; sse-s3.bin is decrypted on the way:
  curl -o /dev/null ${base}/weed-sequential/${weed.keys[0]}
${weed.keys
  .filter((key) => !key.includes("sse-c"))
  .map((key) => `  curl -o /dev/null ${base}/weed/${key}`)
  .join("\n")}

As an S3 bucket (the key pair is for this local Worker alone):
  AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local-secret-of-npm-start AWS_REGION=us-east-1 \\
    aws s3 --endpoint-url ${base} ls s3://media/
`,
    close: () => weed.close(),
  };
}
