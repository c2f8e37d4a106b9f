// The function as most people write it: S3 client and sharp, one output for each record. Below it, the loop that Lambda's own Node
// runtime runs around a handler.
import { S3Client, GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import sharp from "sharp";

const s3 = new S3Client({ forcePathStyle: true });

async function handler(event) {
  for (const record of event.Records) {
    const bucket = record.s3.bucket.name;
    const key = decodeURIComponent(record.s3.object.key.replace(/\+/g, " "));
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    const output = await sharp(await Body.transformToByteArray())
      .rotate()
      .resize({ width: 800, withoutEnlargement: true })
      .flatten({ background: "white" })
      .jpeg({ quality: 80 })
      .toBuffer();
    await s3.send(new PutObjectCommand({ Bucket: process.env.DESTINATION, Key: key.replace(/\.[^.]*$/, ".jpg"), Body: output, ContentType: "image/jpeg" }));
  }
  return { done: event.Records.length };
}

const api = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation`;
for (;;) {
  const next = await fetch(`${api}/next`);
  const id = next.headers.get("lambda-runtime-aws-request-id");
  const answer = await handler(await next.json());
  await fetch(`${api}/${id}/response`, { method: "POST", body: JSON.stringify(answer) });
}
