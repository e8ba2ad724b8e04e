import { setMaxListeners } from "node:events";
import { MillraceError } from "../../core/errors.ts";
import type { Committable, StagedWriter } from "../object-store.ts";
import { type Bucket, checksumOf } from "./bucket.ts";
import { noS3 } from "./refusal.ts";
import type { S3Session } from "./session.ts";
import { stagedJson, type UploadedPart } from "./staged-upload.ts";
import type { UploadQueue } from "./upload-queue.ts";

/** S3's own limit. */
const PARTS_MAX = 10_000;

/** What uploads of one store share. */
export interface UploadSurroundings {
  readonly session: S3Session;
  readonly bucket: Bucket;
  readonly queue: UploadQueue;
  readonly partBytes: number;
}

/**
 * An object that nobody sees yet: a multipart upload, begun with the first part that is full. All parts but the last have
 * `partBytes`. A small object is an upload with one part, since that too must wait to be completed.
 */
export class Upload implements StagedWriter {
  readonly #key: string;
  readonly #around: UploadSurroundings;
  readonly #opener: AbortSignal;
  /** Aborted with what broke the writer, or by whoever opened it. */
  readonly #ended = new AbortController();
  readonly #signal: AbortSignal = this.#ended.signal;
  #id: Promise<string> | null = null;
  /** In the order of their numbers. */
  readonly #parts: Promise<UploadedPart>[] = [];
  /** Of the part that is not full yet. */
  #pieces: Uint8Array[] = [];
  #pieceBytes = 0;
  #held = 0;
  #bytes = 0;
  #finished = false;

  constructor(key: string, around: UploadSurroundings, signal: AbortSignal) {
    this.#key = key;
    this.#around = around;
    this.#opener = signal;
    // Not by `AbortSignal.any`: what that keeps of each stays until the opener's own signal goes, which may be days.
    setMaxListeners(0, signal);
    signal.addEventListener("abort", this.#onOpenerAbort);
    if (signal.aborted) this.#onOpenerAbort();
  }

  readonly #onOpenerAbort = (): void => this.#ended.abort(this.#opener.reason);

  get heldBytes(): number {
    return this.#held;
  }

  get bytes(): number {
    return this.#bytes;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#signal.throwIfAborted();
    if (this.#finished) throw new MillraceError("INTERNAL", `${this.#key} is written after its end`);
    this.#bytes += bytes.byteLength;
    this.#held += bytes.byteLength;
    this.#take(bytes);
    await this.#around.queue.room(this.#signal);
  }

  async finish(): Promise<Committable> {
    this.#signal.throwIfAborted();
    if (this.#finished) throw new MillraceError("INTERNAL", `${this.#key} is finished after its end`);
    this.#finished = true;
    if (this.#pieceBytes > 0 || this.#parts.length === 0) this.#sendPart();
    const parts = await Promise.all(this.#parts);
    this.#opener.removeEventListener("abort", this.#onOpenerAbort);
    const id = await this.#id!;
    return { key: this.#key, bytes: this.#bytes, staged: stagedJson({ id, parts }) };
  }

  async abort(): Promise<void> {
    this.#finished = true;
    this.#opener.removeEventListener("abort", this.#onOpenerAbort);
    this.#ended.abort(new MillraceError("INTERNAL", `${this.#key} is used after it was aborted`));
    this.#pieces = [];
    // A part that arrives behind the abort would stay.
    await Promise.allSettled(this.#parts);
    this.#held = 0;
    const id = await this.#id?.catch(() => null);
    if (id !== undefined && id !== null) await abortUpload(this.#around, this.#key, id, new AbortController().signal);
  }

  #take(bytes: Uint8Array): void {
    const { partBytes } = this.#around;
    let at = 0;
    while (this.#pieceBytes + bytes.byteLength - at >= partBytes) {
      const end = at + partBytes - this.#pieceBytes;
      this.#pieces.push(bytes.subarray(at, end));
      this.#pieceBytes = partBytes;
      this.#sendPart();
      at = end;
    }
    if (at === bytes.byteLength) return;
    // A copy of the rest: the whole would stay in memory for its sake.
    this.#pieces.push(at === 0 ? bytes : bytes.slice(at));
    this.#pieceBytes += bytes.byteLength - at;
  }

  #sendPart(): void {
    const [first = new Uint8Array(0), ...others] = this.#pieces;
    const body = others.length === 0 ? first : Buffer.concat(this.#pieces, this.#pieceBytes);
    this.#pieces = [];
    this.#pieceBytes = 0;
    const number = this.#parts.length + 1;
    const sent = this.#around.queue.run(body.byteLength, () => this.#sent(number, body));
    this.#parts.push(sent);
    sent.finally(() => (this.#held -= body.byteLength)).catch((error: unknown) => this.#ended.abort(error));
  }

  async #sent(number: number, body: Uint8Array): Promise<UploadedPart> {
    this.#signal.throwIfAborted();
    if (number > PARTS_MAX) throw tooLarge(this.#around.bucket.placeOf(this.#key), this.#around.partBytes);
    const { session, bucket } = this.#around;
    const UploadId = await (this.#id ??= this.#begin());
    const { ETag, ChecksumCRC32 } = await session.output(
      {
        doing: `upload part ${number} of`,
        place: bucket.placeOf(this.#key),
        call: (s3, options) =>
          s3.uploadPart(
            {
              ...bucket.target(this.#key),
              ...checksumOf(session.checksums, body),
              UploadId,
              PartNumber: number,
              Body: body,
            },
            options,
          ),
      },
      this.#signal,
    );
    if (ETag === undefined) throw noS3(bucket.placeOf(this.#key));
    return [ETag, ChecksumCRC32 ?? null];
  }

  async #begin(): Promise<string> {
    const { session, bucket } = this.#around;
    const place = bucket.placeOf(this.#key);
    const algorithm = session.checksums === "crc32" ? ({ ChecksumAlgorithm: "CRC32" } as const) : {};
    const { UploadId } = await session.output(
      {
        doing: "begin the upload of",
        place,
        call: (s3, options) => s3.createMultipartUpload({ ...bucket.target(this.#key), ...algorithm }, options),
      },
      // Where the writer is aborted it goes on: nobody would know the upload's id, to abort it.
      this.#opener,
    );
    if (UploadId === undefined) throw noS3(place);
    return UploadId;
  }
}

/** Content where there is no such upload. */
export async function abortUpload(
  { session, bucket }: Pick<UploadSurroundings, "session" | "bucket">,
  key: string,
  UploadId: string,
  signal: AbortSignal,
): Promise<void> {
  await session.send(
    {
      doing: "abort the upload of",
      place: bucket.placeOf(key),
      expects: ["NoSuchUpload", "NoSuchKey", "NotFound"],
      call: (s3, options) => s3.abortMultipartUpload({ ...bucket.target(key), UploadId }, options),
    },
    signal,
  );
}

function tooLarge(place: string, partBytes: number): MillraceError {
  return new MillraceError("STORE_FAILED", `${place} would have more than ${PARTS_MAX} parts of ${partBytes} bytes`, {
    place: { file: place },
    hint: "Let files end sooner, or make parts larger.",
  });
}
