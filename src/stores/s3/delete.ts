import type { Bucket } from "./bucket.ts";
import type { S3Session } from "./session.ts";

/** S3's own limit of one request. */
const BATCH = 1000;

export interface Deletion {
  readonly session: S3Session;
  readonly bucket: Bucket;
}

export async function deleteObjects(deletion: Deletion, keys: readonly string[], signal: AbortSignal): Promise<void> {
  // A request with many keys must have a CRC32, which such a server does not know.
  if (deletion.session.checksums === "md5") for (const key of keys) await deleteOne(deletion, key, signal);
  else for (let at = 0; at < keys.length; at += BATCH) await deleteBatch(deletion, keys.slice(at, at + BATCH), signal);
}

async function deleteOne({ session, bucket }: Deletion, key: string, signal: AbortSignal): Promise<void> {
  await session.send(
    {
      doing: "delete",
      place: bucket.placeOf(key),
      expects: ["NoSuchKey", "NotFound"],
      call: (s3, options) => s3.deleteObject(bucket.target(key), options),
    },
    signal,
  );
}

async function deleteBatch(deletion: Deletion, keys: readonly string[], signal: AbortSignal): Promise<void> {
  const { session, bucket } = deletion;
  const Objects = keys.map((key) => ({ Key: bucket.target(key).Key }));
  const { Errors } = await session.output(
    {
      doing: `delete ${keys.length} objects in`,
      place: bucket.placeOf(""),
      call: (s3, options) => s3.deleteObjects({ Bucket: bucket.name, Delete: { Objects, Quiet: true } }, options),
    },
    signal,
  );
  // On its own each is repeated, or has an answer that says why not.
  for (const { Key } of Errors ?? []) if (Key !== undefined) await deleteOne(deletion, bucket.keyOf(Key), signal);
}
