import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { S3 } from "@aws-sdk/client-s3";
import { inject } from "vitest";
import { PART_BYTES_MIN, type S3Options } from "../../src/stores/s3/options.ts";
import type { S3Address } from "./private-s3.ts";

export { startPrivateS3 } from "./private-s3.ts";

declare module "vitest" {
  interface ProvidedContext {
    s3: S3Address;
  }
}

let serial = 0;

/** A bucket of a test's own. Disposed of with what is in it. */
export class TestBucket implements AsyncDisposable {
  readonly name: string = `test-${process.pid}-${Date.now().toString(36)}-${serial++}`;
  readonly #address: S3Address;
  readonly #client: S3;

  constructor(address: S3Address) {
    this.#address = address;
    this.#client = s3Client(address);
  }

  async create(): Promise<void> {
    await this.#client.createBucket({ Bucket: this.name });
  }

  /** How a store gets there; `at` stands between it and the server. */
  options(
    change: Partial<S3Options> = {},
    at: { readonly host: string; readonly port: number } = this.#address,
  ): S3Options {
    const { accessKeyId, secretAccessKey } = this.#address;
    return {
      bucket: this.name,
      prefix: "lake/",
      endpoint: `http://${at.host}:${at.port}`,
      region: null,
      pathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
      partBytes: PART_BYTES_MIN,
      parallelUploads: 4,
      connectTimeoutMs: 5_000,
      requestTimeoutMs: 10_000,
      attemptsMax: 4,
      ...change,
    };
  }

  /** As consoles do it: empty objects whose names end in a slash. */
  async makeFolders(...names: readonly string[]): Promise<void> {
    for (const Key of names) await this.#client.putObject({ Bucket: this.name, Key, Body: "", ContentLength: 0 });
  }

  /** The keys of uploads that were begun, and neither completed nor aborted. */
  async uploads(): Promise<readonly string[]> {
    const { Uploads = [] } = await this.#client.listMultipartUploads({ Bucket: this.name });
    return Uploads.map(({ Key = "" }) => Key);
  }

  /** An upload that nobody goes on with. */
  async beginUpload(key: string): Promise<void> {
    await this.#client.createMultipartUpload({ Bucket: this.name, Key: key });
  }

  /** Of all that is visible in it. */
  async names(): Promise<string[]> {
    const keys: string[] = [];
    for (let after: string | undefined, more = true; more;) {
      const page = await this.#client.listObjectsV2({ Bucket: this.name, StartAfter: after });
      keys.push(...(page.Contents ?? []).map(({ Key = "" }) => Key));
      after = keys.at(-1);
      more = page.IsTruncated === true;
    }
    return keys;
  }

  /** Writes all objects below `prefix` into a folder, in place of what it holds. */
  async download(prefix: string, folder: string): Promise<void> {
    await rm(folder, { recursive: true, force: true });
    const keys = (await this.names()).filter((key) => key.startsWith(prefix));
    for (const key of keys) {
      const { Body } = await this.#client.getObject({ Bucket: this.name, Key: key });
      const path = join(folder, key.slice(prefix.length));
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, (await Body?.transformToByteArray()) ?? new Uint8Array());
    }
  }

  /** The way back: all files of a folder, below `prefix`. */
  async upload(prefix: string, folder: string): Promise<void> {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const Key = prefix + relative(folder, path);
      await this.#client.putObject({ Bucket: this.name, Key, Body: await readFile(path) });
    }
  }

  async empty(): Promise<void> {
    for (;;) {
      // What is in a folder before the folder.
      const keys = (await this.names()).reverse().slice(0, 1000);
      if (keys.length === 0) return;
      const Objects = keys.map((Key) => ({ Key }));
      await this.#client.deleteObjects({ Bucket: this.name, Delete: { Objects } });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const Bucket = this.name;
    for (const { Key, UploadId } of (await this.#client.listMultipartUploads({ Bucket })).Uploads ?? [])
      await this.#client.abortMultipartUpload({ Bucket, Key, UploadId });
    await this.empty();
    await this.#client.deleteBucket({ Bucket });
    this.#client.destroy();
  }
}

/** An empty bucket: `await using bucket = await createBucket()`. */
export async function createBucket(address: S3Address = inject("s3")): Promise<TestBucket> {
  const bucket = new TestBucket(address);
  await bucket.create();
  return bucket;
}

/** The same API without our store before it. */
function s3Client({ host, port, accessKeyId, secretAccessKey }: S3Address): S3 {
  return new S3({
    endpoint: `http://${host}:${port}`,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
}
