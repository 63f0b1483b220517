import { writeFile } from "node:fs/promises";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";

const s3 = new S3Client({ endpoint: "https://edge.example", forcePathStyle: true });
const { Body } = await s3.send(new GetObjectCommand({ Bucket: "media", Key: "ramp.bin" }));
await writeFile("ramp.bin", Body);
