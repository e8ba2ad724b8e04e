import type { Clock } from "../../core/ambient.ts";
import type { BufferPool } from "../../core/buffer-pool.ts";
import { MillraceError } from "../../core/errors.ts";
import { checkKey } from "../object-key.ts";
import type {
  ByteRange,
  Committable,
  ObjectInfo,
  ObjectStore,
  PutCondition,
  StagedLeftover,
  StagedWriter,
  StoreAbilities,
} from "../object-store.ts";
import { tryConditions } from "../try-conditions.ts";
import { Bucket } from "./bucket.ts";
import { completeUpload, isUploaded } from "./complete.ts";
import { deleteObjects } from "./delete.ts";
import { listObjects, listUploads } from "./listing.ts";
import { PART_BYTES_MIN, type S3Options } from "./options.ts";
import { putObject } from "./put.ts";
import { noS3 } from "./refusal.ts";
import { S3Session } from "./session.ts";
import { parseLeftover, parseStaged } from "./staged-upload.ts";
import { abortUpload, Upload } from "./upload.ts";
import { UploadQueue } from "./upload-queue.ts";

/** Full parts that may wait in memory while others are sent. */
const PARTS_AHEAD = 2;

const NOT_THERE = ["NoSuchKey", "NotFound"];
/** What a server answers that does not know a header: one of those is the CRC32's. */
const UNKNOWN_HEADER = ["STORE_UNSUPPORTED", "STORE_FAILED"];

/** A bucket below a prefix. What is staged is a multipart upload, which nobody sees until it is completed. */
export class S3Store implements ObjectStore {
  readonly place: string;
  readonly #bucket: Bucket;
  readonly #session: S3Session;
  readonly #clock: Clock;
  readonly #queue: UploadQueue;
  readonly #partBytes: number;

  constructor(options: S3Options, clock: Clock) {
    // The server would say so at the completion: too late.
    if (options.partBytes < PART_BYTES_MIN)
      throw new MillraceError("INTERNAL", `parts of ${options.partBytes} bytes are too small for S3`);
    this.#bucket = new Bucket(options);
    this.place = this.#bucket.placeOf("").replace(/\/$/, "");
    this.#session = new S3Session(options);
    this.#clock = clock;
    this.#partBytes = options.partBytes;
    this.#queue = new UploadQueue({
      parallelMax: options.parallelUploads,
      bytesMax: (options.parallelUploads + PARTS_AHEAD) * options.partBytes,
    });
  }

  async open(signal: AbortSignal): Promise<StoreAbilities> {
    // By these a bucket, a region, credentials and rights that are wrong show themselves, each in its own way.
    for await (const _ of listObjects(this.#around, "", signal, 1)) break;
    for await (const _ of listUploads(this.#around, "", signal)) break;
    try {
      return await tryConditions(this, signal);
    } catch (error) {
      if (!(error instanceof MillraceError) || !UNKNOWN_HEADER.includes(error.code)) throw error;
      await this.#session.useChecksums("md5");
      return await tryConditions(this, signal).catch(() => {
        throw error;
      });
    }
  }

  async put(key: string, bytes: Uint8Array, condition: PutCondition | null, signal: AbortSignal): Promise<ObjectInfo> {
    checkKey(key);
    return await putObject({ ...this.#around, clock: this.#clock }, key, bytes, condition, signal);
  }

  async putBrief(key: string, pieces: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
    await this.put(key, Buffer.concat(pieces), null, signal);
  }

  async get(key: string, range: ByteRange | null, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer> | null> {
    const found = await this.#get(key, range, signal);
    return found === null ? null : new Uint8Array(found);
  }

  async getInto(
    pool: BufferPool,
    key: string,
    bytes: number,
    signal: AbortSignal,
  ): Promise<Uint8Array<ArrayBuffer> | null> {
    const found = await this.#get(key, { from: 0, to: bytes }, signal);
    if (found === null) return null;
    const { byteLength } = found;
    const taken = new Uint8Array(pool.take(byteLength), 0, byteLength);
    taken.set(found);
    return taken;
  }

  /** In a buffer of the client's. */
  async #get(key: string, range: ByteRange | null, signal: AbortSignal): Promise<Uint8Array | null> {
    checkKey(key);
    // No header can ask for nothing.
    if (range !== null && range.to <= range.from)
      return (await this.head(key, signal)) === null ? null : new Uint8Array(0);
    const part = range === null ? {} : { Range: `bytes=${range.from}-${range.to - 1}` };
    const answer = await this.#session.send(
      {
        doing: "read",
        place: this.#bucket.placeOf(key),
        expects: [...NOT_THERE, "InvalidRange"],
        call: (s3, options) => s3.getObject({ ...this.#bucket.target(key), ...part }, options),
      },
      signal,
    );
    if (answer.kind === "done") return (await answer.output.Body?.transformToByteArray()) ?? new Uint8Array(0);
    return answer.refusal.name === "InvalidRange" ? new Uint8Array(0) : null;
  }

  async head(key: string, signal: AbortSignal): Promise<ObjectInfo | null> {
    checkKey(key);
    const answer = await this.#session.send(
      {
        doing: "look at",
        place: this.#bucket.placeOf(key),
        expects: NOT_THERE,
        call: (s3, options) => s3.headObject(this.#bucket.target(key), options),
      },
      signal,
    );
    if (answer.kind === "refused") return null;
    const { ContentLength, ETag } = answer.output;
    if (ContentLength === undefined || ETag === undefined) throw noS3(this.#bucket.placeOf(key));
    return { key, bytes: ContentLength, tag: ETag };
  }

  list(prefix: string, signal: AbortSignal): AsyncIterable<ObjectInfo> {
    return listObjects(this.#around, prefix, signal);
  }

  async delete(keys: readonly string[], signal: AbortSignal): Promise<void> {
    for (const key of keys) checkKey(key);
    await deleteObjects(this.#around, keys, signal);
  }

  async deleteBrief(keys: readonly string[], signal: AbortSignal): Promise<void> {
    await this.delete(keys, signal);
  }

  stage(key: string, signal: AbortSignal): StagedWriter {
    checkKey(key);
    return new Upload(key, { ...this.#around, queue: this.#queue, partBytes: this.#partBytes }, signal);
  }

  async complete(committable: Committable, signal: AbortSignal): Promise<void> {
    checkKey(committable.key);
    const head = this.head.bind(this);
    await completeUpload({ ...this.#around, clock: this.#clock, head }, committable, signal);
  }

  async isStaged({ key, staged }: Committable, signal: AbortSignal): Promise<boolean> {
    checkKey(key);
    return await isUploaded(this.#around, key, parseStaged(key, staged), signal);
  }

  async *leftovers(prefix: string, signal: AbortSignal): AsyncGenerator<StagedLeftover> {
    for await (const { key, id } of listUploads(this.#around, prefix, signal))
      yield { key, staged: { kind: "upload", id } };
  }

  async discard({ key, staged }: StagedLeftover, signal: AbortSignal): Promise<void> {
    await abortUpload(this.#around, key, parseLeftover(key, staged), signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }

  get #around(): { readonly session: S3Session; readonly bucket: Bucket } {
    return { session: this.#session, bucket: this.#bucket };
  }
}
