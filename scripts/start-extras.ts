/**
 * Further stores that `npm start` offers beside the bucket and the origin: each is started here, brings its mounts,
 * and is closed with everything else.
 */

export interface ExtrasOptions {
  /** The Worker's own address, for what it prints. */
  readonly base: string;
  readonly delayMs: number;
}

export interface Extras {
  /** Tables of `MOUNTS`. */
  readonly mounts: Readonly<Record<string, unknown>>;
  /** Secret bindings that the mounts name. */
  readonly secrets: Readonly<Record<string, string>>;
  /** What to try with them. */
  readonly welcome: string;
  close(): Promise<void>;
}

export function startExtras(options: ExtrasOptions): Promise<Extras> {
  return Promise.resolve({
    mounts: {
      media: {
        prefix: "/media/",
        protocol: "s3",
        access: "signed",
        credentials: ["S3_CLIENT_1"],
        source: "r2",
        bucket: "OBJECTS",
      },
    },
    secrets: { S3_CLIENT_1: "local:local-secret-of-npm-start" },
    welcome: `
As an S3 bucket (the key pair is for this local Worker alone):
  AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local-secret-of-npm-start AWS_REGION=us-east-1 \\
    aws s3 --endpoint-url ${options.base} ls s3://media/
`,
    close: () => Promise.resolve(),
  });
}
