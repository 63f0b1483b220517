// One GetObject by the AWS SDK for JavaScript, read to its end: endpoint, bucket, key, bytes expected. Prints seconds.
import assert from "node:assert/strict";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";

const [endpoint, Bucket, Key, bytes] = process.argv.slice(2);
const s3 = new S3Client({ endpoint, forcePathStyle: true });
const start = performance.now();
const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
let at = 0;
for await (const chunk of Body) {
  // The ramp's first and last byte of every block: a displaced one shows.
  assert.equal(chunk[0], at % 251);
  at += chunk.length;
  assert.equal(chunk[chunk.length - 1], (at - 1) % 251);
}
assert.equal(at, Number(bytes));
console.log((performance.now() - start) / 1000);
