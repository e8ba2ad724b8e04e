import { randomUUID } from "node:crypto";
import type { Clock } from "../../core/ambient.ts";
import type { BufferPool } from "../../core/buffer-pool.ts";
import type { ChunkGrant } from "../../core/chunk.ts";
import { asMillraceError, MillraceError } from "../../core/errors.ts";
import { createStore, type StoreLocation } from "../../stores/open-store.ts";
import type { ObjectStore } from "../../stores/object-store.ts";
import { jobId, type StagedObject } from "./chunk-job.ts";

/** Objects that are removed at a time. */
const REMOVED_MAX = 200;

/**
 * Where workers leave the rows of chunks, for the run to take. Every attempt at a chunk has names of its own, with the run's token,
 * the chunk, the attempt and something random in them: what a lost worker leaves, however late, nobody reads. What a crash of the
 * machine loses is read from the source again, so nothing here waits for a disk.
 */
export class StagingArea implements AsyncDisposable {
  readonly #store: ObjectStore;
  readonly #prefix: string;
  /** The run that is known to have claimed it. */
  #claimed: number | null = null;

  constructor(location: StoreLocation, pipeline: string, clock: Clock) {
    this.#store = createStore(location, clock);
    this.#prefix = `${encodeURIComponent(pipeline)}-chunks/`;
  }

  get place(): string {
    return this.#store.place;
  }

  async open(signal: AbortSignal): Promise<void> {
    await this.#tried(signal, () => this.#store.open(signal));
  }

  /** Says to workers that this is the place that the run of this token means. */
  async claim(token: number, signal: AbortSignal): Promise<void> {
    const claim = new TextEncoder().encode(`${token}\n`);
    await this.#tried(signal, () => this.#store.put(this.#claimOf(token), claim, null, signal));
    this.#claimed = token;
  }

  /** Fails where that run has not claimed this place: what would be staged here it would never find. */
  async checkClaim(token: number, signal: AbortSignal): Promise<void> {
    if (this.#claimed === token) return;
    const claim = await this.#tried(signal, () => this.#store.head(this.#claimOf(token), signal));
    if (claim === null)
      throw new MillraceError("STAGING_FAILED", `${this.place} is not where the run looks for chunks`);
    this.#claimed = token;
  }

  #claimOf(token: number): string {
    return `${this.#prefix}${token}-run`;
  }

  /** Names for what one attempt stages, from 1 on. */
  names(grant: ChunkGrant): (number: number) => string {
    const attempt = `${this.#prefix}${jobId(grant)}-${randomUUID()}`;
    return (number) => `${attempt}-${number}`;
  }

  async put(name: string, pieces: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
    await this.#tried(signal, () => this.#store.putBrief(name, pieces, signal));
  }

  /** In a buffer of the pool's, to be given back. */
  async get({ name, bytes }: StagedObject, pool: BufferPool, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const found = await this.#tried(signal, () => this.#store.getInto(pool, name, bytes, signal));
    if (found !== null) return found;
    throw new MillraceError(
      "STAGED_CHUNK_UNREADABLE",
      `${this.place} does not have ${name}, which a worker has staged`,
    );
  }

  async remove(objects: readonly StagedObject[], signal: AbortSignal): Promise<void> {
    const names = objects.map(({ name }) => name);
    await this.#tried(signal, () => this.#store.deleteBrief(names, signal));
  }

  /** Removes what attempts under this grant have left. */
  async removeAttempts(grant: ChunkGrant, signal: AbortSignal): Promise<void> {
    await this.#removeAll(`${this.#prefix}${jobId(grant)}-`, () => true, signal);
  }

  /** Removes what is left of runs up to this token. A later one is another's, which has taken over. */
  async removeRuns(token: number, signal: AbortSignal): Promise<void> {
    const isOver = (name: string): boolean => Number.parseInt(name.slice(this.#prefix.length), 10) <= token;
    await this.#removeAll(this.#prefix, isOver, signal);
  }

  async #removeAll(prefix: string, which: (name: string) => boolean, signal: AbortSignal): Promise<void> {
    await this.#tried(signal, async () => {
      let found: string[] = [];
      for await (const { key } of this.#store.list(prefix, signal)) {
        if (which(key)) found.push(key);
        if (found.length < REMOVED_MAX) continue;
        await this.#store.deleteBrief(found, signal);
        found = [];
      }
      await this.#store.deleteBrief(found, signal);
    });
  }

  /** Whatever the store says is no fault of the table's: the chunk may be read by another worker. */
  async #tried<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted) throw error;
      const { code, message } = asMillraceError(error);
      throw new MillraceError("STAGING_FAILED", `the staging area ${this.place} failed: ${code}: ${message}`, {
        cause: error,
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }
}
