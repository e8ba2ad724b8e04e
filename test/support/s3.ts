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

  /** Of all that is visible in it. */
  async names(): Promise<string[]> {
    const { Contents = [] } = await this.#client.listObjectsV2({ Bucket: this.name });
    return Contents.map(({ Key = "" }) => Key);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const Bucket = this.name;
    for (const { Key, UploadId } of (await this.#client.listMultipartUploads({ Bucket })).Uploads ?? [])
      await this.#client.abortMultipartUpload({ Bucket, Key, UploadId });
    for (let more = true; more;) {
      // What is in a folder before the folder.
      const names = (await this.names()).reverse();
      more = names.length > 0;
      if (more) await this.#client.deleteObjects({ Bucket, Delete: { Objects: names.map((Key) => ({ Key })) } });
    }
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
