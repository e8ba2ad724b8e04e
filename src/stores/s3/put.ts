import { randomUUID } from "node:crypto";
import type { Clock } from "../../core/ambient.ts";
import { MillraceError } from "../../core/errors.ts";
import type { ObjectInfo, PutCondition } from "../object-store.ts";
import { type Bucket, checksumOf } from "./bucket.ts";
import { noS3 } from "./refusal.ts";
import type { S3Answer, S3Session } from "./session.ts";

/** An object's metadata that tells which call has written it. */
const WRITTEN_BY = "millrace-write";

/** The condition does not hold; of an object that is not there, where it should be as it was, some say 404. */
const NOT_HELD = ["PreconditionFailed", "NoSuchKey", "NotFound"];
/** Somebody else writes just now: S3 asks to try again, and then knows. */
const CONFLICT = "ConditionalRequestConflict";
const CONFLICTS_MAX = 8;
const PAUSE_MS_MAX = 200;
/** Nobody knows whether these took place. */
const UNKNOWN = ["STORE_UNREACHABLE", "STORE_BUSY"];

export interface Put {
  readonly session: S3Session;
  readonly bucket: Bucket;
  readonly clock: Clock;
}

/**
 * Puts an object, if the condition holds. The client repeats a request whose answer is lost, and then the condition
 * does not hold because of ourselves; so a conditional write carries a mark by which it knows itself again.
 */
export async function putObject(
  put: Put,
  key: string,
  bytes: Uint8Array,
  condition: PutCondition | null,
  signal: AbortSignal,
): Promise<ObjectInfo> {
  const mark = randomUUID();
  try {
    for (let attempt = 1; ; attempt++) {
      const answer = await send(put, key, bytes, condition, mark, signal);
      if (answer.kind === "done") return writtenObject(put, key, bytes, answer.output.ETag);
      const own = await ownWrite(put, key, bytes, mark, signal);
      if (own !== null) return own;
      if (answer.refusal.name !== CONFLICT || attempt === CONFLICTS_MAX) throw notHeld(put.bucket.placeOf(key));
      await put.clock.sleep(Math.random() * PAUSE_MS_MAX, signal);
    }
  } catch (error) {
    const unknown = condition !== null && error instanceof MillraceError && UNKNOWN.includes(error.code);
    const own = unknown ? await ownWrite(put, key, bytes, mark, signal).catch(() => null) : null;
    if (own !== null) return own;
    throw error;
  }
}

function send(
  { session, bucket }: Put,
  key: string,
  bytes: Uint8Array,
  condition: PutCondition | null,
  mark: string,
  signal: AbortSignal,
): Promise<S3Answer<{ readonly ETag?: string | undefined }>> {
  const conditions = {
    ...(condition?.kind === "absent" ? { IfNoneMatch: "*" } : {}),
    ...(condition?.kind === "same" ? { IfMatch: condition.tag } : {}),
    ...(condition === null ? {} : { Metadata: { [WRITTEN_BY]: mark } }),
  };
  return session.send(
    {
      doing: "write",
      place: bucket.placeOf(key),
      expects: condition === null ? [] : [...NOT_HELD, CONFLICT],
      call: (s3, options) =>
        s3.putObject(
          { ...bucket.target(key), ...conditions, ...checksumOf(session.checksums, bytes), Body: bytes },
          options,
        ),
    },
    signal,
  );
}

/** The object, where the call with that mark has written it; else null. */
async function ownWrite(
  { session, bucket }: Put,
  key: string,
  bytes: Uint8Array,
  mark: string,
  signal: AbortSignal,
): Promise<ObjectInfo | null> {
  const answer = await session.send(
    {
      doing: "look at",
      place: bucket.placeOf(key),
      expects: ["NotFound", "NoSuchKey"],
      call: (s3, options) => s3.headObject(bucket.target(key), options),
    },
    signal,
  );
  if (answer.kind === "refused" || answer.output.Metadata?.[WRITTEN_BY] !== mark) return null;
  return writtenObject({ bucket }, key, bytes, answer.output.ETag);
}

function writtenObject(
  { bucket }: Pick<Put, "bucket">,
  key: string,
  bytes: Uint8Array,
  tag: string | undefined,
): ObjectInfo {
  if (tag === undefined) throw noS3(bucket.placeOf(key));
  return { key, bytes: bytes.byteLength, tag };
}

function notHeld(place: string): MillraceError {
  return new MillraceError("STORE_CONDITION", `${place} was not written: somebody else has written it meanwhile`, {
    place: { file: place },
  });
}
