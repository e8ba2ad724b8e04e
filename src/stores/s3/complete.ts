import type { Clock } from "../../core/ambient.ts";
import { asMillraceError, type MillraceError } from "../../core/errors.ts";
import type { Committable, ObjectInfo } from "../object-store.ts";
import { stagedLost } from "../staged-lost.ts";
import type { Bucket } from "./bucket.ts";
import type { S3Session } from "./session.ts";
import { parseStaged, type StagedUpload } from "./staged-upload.ts";

/** The upload is not there, or not as it was: either it has become the object, or somebody has taken it away. */
const GONE = ["NoSuchUpload", "NoSuchKey", "NotFound", "InvalidPart", "InvalidPartOrder"];
/** With these it did surely not take place. */
const WITHOUT_EFFECT = ["STORE_DENIED", "STORE_CREDENTIALS", "STORE_REGION", "STORE_MISSING", "INTERNAL"];

/** To say that something is lost stops the pipeline: a server may need a moment to show what it has completed. */
const LOOKS = 4;
const FIRST_PAUSE_MS = 250;

export interface Completion {
  readonly session: S3Session;
  readonly bucket: Bucket;
  readonly clock: Clock;
  head(key: string, signal: AbortSignal): Promise<ObjectInfo | null>;
}

/**
 * Completes an upload, for the first time or again. A time-out or a 500 does not tell whether it took place, and a server that
 * has done it before answers with success or with 404, as it likes: what counts is whether the object is there.
 */
export async function completeUpload(
  completion: Completion,
  committable: Committable,
  signal: AbortSignal,
): Promise<void> {
  const failure = await attempt(completion, committable, signal);
  if (failure === null) return;
  if (WITHOUT_EFFECT.includes(failure.code)) throw failure;
  const looks = failure.code === "STORE_STAGED_LOST" ? LOOKS : 1;
  for (let look = 1; ; look++) {
    const found = await completion.head(committable.key, signal);
    if (found?.bytes === committable.bytes) return;
    if (look === looks) throw failure;
    await completion.clock.sleep(FIRST_PAUSE_MS * 2 ** (look - 1), signal);
  }
}

/** Null: done. */
async function attempt(
  { session, bucket }: Completion,
  { key, staged }: Committable,
  signal: AbortSignal,
): Promise<MillraceError | null> {
  const { id, parts } = parseStaged(key, staged);
  const place = bucket.placeOf(key);
  const MultipartUpload = {
    Parts: parts.map(([ETag, crc32], i) => ({
      ETag,
      PartNumber: i + 1,
      ...(crc32 === null ? {} : { ChecksumCRC32: crc32 }),
    })),
  };
  try {
    const answer = await session.send(
      {
        doing: "complete the upload of",
        place,
        expects: GONE,
        call: (s3, options) =>
          s3.completeMultipartUpload({ ...bucket.target(key), UploadId: id, MultipartUpload }, options),
      },
      signal,
    );
    if (answer.kind === "done") return null;
    return stagedLost(place, `the server answers ${answer.refusal.name}, and there is no such object`);
  } catch (error) {
    signal.throwIfAborted();
    return asMillraceError(error);
  }
}

/** Whether an upload waits for its completion. Asked of the server by its id: not every one lists them by a prefix. */
export async function isUploaded(
  { session, bucket }: Pick<Completion, "session" | "bucket">,
  key: string,
  { id, parts }: StagedUpload,
  signal: AbortSignal,
): Promise<boolean> {
  const answer = await session.send(
    {
      doing: "look at the upload of",
      place: bucket.placeOf(key),
      expects: GONE,
      call: (s3, options) => s3.listParts({ ...bucket.target(key), UploadId: id }, options),
    },
    signal,
  );
  if (answer.kind === "refused") return false;
  const { Parts = [], IsTruncated = false } = answer.output;
  return IsTruncated || Parts.length === parts.length;
}
