import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { S3Address } from "../test/support/private-s3.ts";
import { runClient, secondsOf } from "./client-program.ts";

export interface CurlUploads {
  readonly address: S3Address;
  readonly bucket: string;
  readonly files: number;
  readonly partsPerFile: number;
  readonly part: Uint8Array;
  readonly parallel: number;
}

/** Seconds that `curl` needs to upload so many files in parts, as many at a time, and to complete them: signed, one process a step. */
export async function curlUploadSeconds(uploads: CurlUploads): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-bench-curl-"));
  try {
    writeFileSync(join(folder, "part"), uploads.part);
    return await secondsOf(() => uploadAll(uploads, folder));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One request of a `curl` process, as its configuration file has it. */
type Request = Readonly<Record<string, string>>;

async function uploadAll(uploads: CurlUploads, folder: string): Promise<void> {
  const { files, partsPerFile } = uploads;
  const keys = Array.from({ length: files }, (_, i) => `curl-${i}`);
  const begun = await curl(
    uploads,
    folder,
    keys.map((key) => ({ url: urlOf(uploads, key, "uploads="), request: "POST", "write-out": "\\n" })),
  );
  const ids = [...begun.matchAll(/<UploadId>([^<]+)<\/UploadId>/g)].map((match) => match[1]!);
  if (ids.length !== files) throw new Error(`curl began ${ids.length} of ${files} uploads: ${begun}`);
  const parts = ids.flatMap((id, file) =>
    Array.from({ length: partsPerFile }, (_, i) => ({ file, id, number: i + 1 })),
  );
  const sent = await curl(
    uploads,
    folder,
    parts.map(({ file, id, number }) => ({
      url: urlOf(uploads, keys[file]!, `partNumber=${number}&uploadId=${id}`),
      "upload-file": join(folder, "part"),
      "write-out": `${file} ${number} %header{etag}\\n`,
    })),
  );
  const tags = [...sent.matchAll(/^(\d+) (\d+) "?([0-9a-f]+)"?$/gm)];
  if (tags.length !== parts.length) throw new Error(`curl sent ${tags.length} of ${parts.length} parts: ${sent}`);
  const completed = await curl(
    uploads,
    folder,
    ids.map((id, file) => ({ url: urlOf(uploads, keys[file]!, `uploadId=${id}`), data: completion(tags, file) })),
  );
  const done = completed.match(/<CompleteMultipartUploadResult/g)?.length ?? 0;
  if (done !== files) throw new Error(`curl completed ${done} of ${files} uploads: ${completed}`);
}

function completion(tags: readonly RegExpMatchArray[], file: number): string {
  const parts = tags
    .filter((tag) => Number(tag[1]) === file)
    .map((tag) => ({ number: Number(tag[2]), etag: tag[3]! }))
    .toSorted((a, b) => a.number - b.number)
    .map(({ number, etag }) => `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`);
  return `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`;
}

function urlOf({ address: { host, port }, bucket }: CurlUploads, key: string, query: string): string {
  return `http://${host}:${port}/${bucket}/${key}?${query}`;
}

async function curl(uploads: CurlUploads, folder: string, requests: readonly Request[]): Promise<string> {
  const { address, parallel } = uploads;
  const common = {
    "aws-sigv4": "aws:amz:us-east-1:s3",
    // As the store sends parts over HTTPS: what is signed is the request, not its body.
    header: "x-amz-content-sha256: UNSIGNED-PAYLOAD",
    user: `${address.accessKeyId}:${address.secretAccessKey}`,
    fail: null,
    silent: null,
    "show-error": null,
  };
  const text = requests.map((request) =>
    Object.entries({ ...common, ...request })
      .map(([name, value]) => (value === null ? name : `${name} = "${value}"`))
      .join("\n"),
  );
  const file = join(folder, "requests");
  writeFileSync(file, `parallel\nparallel-max = ${parallel}\n${text.join("\nnext\n")}\n`);
  return await runClient({ command: "curl", args: ["--config", file], env: process.env, output: "kept" });
}
