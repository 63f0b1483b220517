// Cases for the AWS SDK for JavaScript; run from the folder it is installed in. The name of one is the first argument.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  GetObjectCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
} from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const [name, endpoint, Key, size, sha256] = process.argv.slice(2);
const Bucket = "media";
const s3 = new S3Client({ endpoint, forcePathStyle: true });

async function digest(stream) {
  const hash = createHash("sha256");
  for await (const chunk of stream) hash.update(chunk);
  return hash.digest("hex");
}

/** @returns Whether an error has this name */
const named = (expected) => (error) => error.name === expected;

const cases = {
  async getObject() {
    const { Body, ContentLength } = await s3.send(new GetObjectCommand({ Bucket, Key }));
    assert.equal(ContentLength, Number(size));
    assert.equal(await digest(Body), sha256);
  },
  async range() {
    const command = new GetObjectCommand({ Bucket, Key, Range: "bytes=251-502" });
    const { Body, ContentRange } = await s3.send(command);
    assert.equal(ContentRange, `bytes 251-502/${size}`);
    const bytes = await Body.transformToByteArray();
    assert.deepEqual(
      [...bytes],
      Array.from({ length: 252 }, (_, i) => i % 251),
    );
  },
  async checksums() {
    const command = { Bucket, Key, ChecksumMode: "ENABLED" };
    const { Body } = await s3.send(new GetObjectCommand(command));
    assert.equal(await digest(Body), sha256);
    await s3.send(new HeadObjectCommand(command));
  },
  async pages() {
    const keys = [];
    for await (const page of paginateListObjectsV2(
      { client: s3, pageSize: 4 },
      { Bucket, Prefix: "many/" },
    ))
      keys.push(...page.Contents.map((entry) => entry.Key));
    assert.equal(keys.length, 25);
    assert.equal(keys[3], "many/03 +%é&<>.bin");
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: keys[3] }));
    assert.equal((await Body.transformToByteArray()).length, 3);
    assert.deepEqual(
      (await s3.send(new ListBucketsCommand({}))).Buckets.map((entry) => entry.Name),
      [Bucket],
    );
  },
  async presigned() {
    const url = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key }), { expiresIn: 60 });
    const response = await fetch(url);
    assert.equal(response.status, 200);
    assert.equal(await digest(response.body), sha256);
  },
  async errors() {
    await assert.rejects(
      s3.send(new GetObjectCommand({ Bucket, Key: "nowhere" })),
      named("NoSuchKey"),
    );
    await assert.rejects(
      s3.send(new PutObjectCommand({ Bucket, Key: "new", Body: "x" })),
      named("MethodNotAllowed"),
    );
  },
};
await cases[name]();
