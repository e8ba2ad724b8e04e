import { createHash } from "node:crypto";
import type { S3Options } from "./options.ts";
import type { Checksums } from "./session.ts";

/** The part of a bucket below a prefix. */
export class Bucket {
  readonly name: string;
  readonly prefix: string;

  constructor({ bucket, prefix }: Pick<S3Options, "bucket" | "prefix">) {
    this.name = bucket;
    this.prefix = prefix;
  }

  /** For people. */
  placeOf(key: string): string {
    return `s3://${this.name}/${this.prefix}${key}`;
  }

  /** What names an object in a request. */
  target(key: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.name, Key: this.prefix + key };
  }

  /** Of a name that was listed under the prefix. */
  keyOf(name: string): string {
    return name.slice(this.prefix.length);
  }
}

/** What a request carries so that the server refuses a body that was changed on the way. The client adds the CRC32 itself. */
export function checksumOf(
  checksums: Checksums,
  body: Uint8Array,
): { readonly ChecksumAlgorithm: "CRC32" } | { readonly ContentMD5: string } {
  if (checksums === "crc32") return { ChecksumAlgorithm: "CRC32" };
  return { ContentMD5: createHash("md5").update(body).digest("base64") };
}
