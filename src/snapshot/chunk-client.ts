import type { ChunkOutcome, ChunkRequest } from "../core/chunk.ts";
import { assertNever, MillraceError } from "../core/errors.ts";
import type { ChangeBatch } from "../core/change-batch.ts";
import { releaseMemory } from "../flow/released-memory.ts";
import { receivedError } from "../core/sent-error.ts";
import { transferable, type FromWorker, type ToWorker } from "./chunk-message.ts";
import type { ChunkListener } from "./chunk-listener.ts";

/** A larger buffer than a batch of ordinary rows has is not worth keeping. */
const KEPT_BYTES_MAX = 4 << 20;

/** A thread, or what stands for one, that runs `serveChunks`. */
export interface WorkerHandle {
  postMessage(message: ToWorker, transfer: readonly ArrayBuffer[]): void;
  on(event: "message", listener: (message: FromWorker) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "exit", listener: () => void): unknown;
  terminate(): Promise<unknown>;
}

interface Reading {
  readonly chunk: number;
  readonly listener: ChunkListener;
  /** The rows taken so far, in order: the outcome waits for all of them. */
  taken: Promise<void>;
  /** What failed on this side: it is how the reading ends, whatever the worker answers to the cancel. */
  failure: { readonly error: unknown } | null;
  resolve(outcome: ChunkOutcome): void;
  reject(error: unknown): void;
}

/** One worker and the chunks that it reads. It is of no more use once it is `dead`. */
export class ChunkClient {
  readonly #worker: WorkerHandle;
  readonly #readings = new Map<number, Reading>();
  #requests = 0;
  #exited: () => void = () => undefined;
  readonly exited: Promise<void>;
  dead: boolean = false;

  constructor(worker: WorkerHandle) {
    this.#worker = worker;
    this.exited = new Promise((resolve) => {
      this.#exited = resolve;
    });
    worker.on("message", (message) => this.#message(message));
    worker.on("error", (error) => this.#died(error));
    worker.on("exit", () => {
      this.#died(null);
      this.#exited();
    });
  }

  read(request: ChunkRequest, listener: ChunkListener, signal: AbortSignal): Promise<ChunkOutcome> {
    const chunk = ++this.#requests;
    const cancel = (): void => this.#send({ kind: "cancel", chunk });
    signal.addEventListener("abort", cancel, { once: true });
    const outcome = new Promise<ChunkOutcome>((resolve, reject) => {
      this.#readings.set(chunk, { chunk, listener, taken: Promise.resolve(), failure: null, resolve, reject });
      this.#send({ kind: "read", chunk, request });
      if (signal.aborted) cancel();
    });
    return outcome.finally(() => {
      signal.removeEventListener("abort", cancel);
      this.#readings.delete(chunk);
    });
  }

  /** Chunks that it reads at this moment. */
  get reading(): number {
    return this.#readings.size;
  }

  close(): void {
    if (!this.dead) this.#send({ kind: "close" });
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #message(message: FromWorker): void {
    const reading = this.#readings.get(message.chunk);
    if (reading === undefined) return;
    switch (message.kind) {
      case "opened":
        try {
          reading.listener.opened(message.cut);
        } catch (error) {
          this.#giveUp(reading, error);
        }
        return;
      case "batch":
        reading.taken = reading.taken.then(async () => {
          await reading.listener.batch(this.#recyclable(message.batch));
          this.#send({ kind: "credit", chunk: reading.chunk });
        });
        reading.taken.catch((error: unknown) => this.#giveUp(reading, error));
        return;
      case "outcome":
        reading.taken.then(
          () => (reading.failure === null ? reading.resolve(message.outcome) : reading.reject(reading.failure.error)),
          (error: unknown) => reading.reject(error),
        );
        return;
      case "failed":
        reading.reject(reading.failure === null ? receivedError(message.error) : reading.failure.error);
        return;
      default:
        assertNever(message);
    }
  }

  #send(message: ToWorker, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  #recyclable(batch: ChangeBatch): ChangeBatch {
    const recycle = (): void => {
      const buffers = transferable(batch);
      const kept = buffers.filter(({ byteLength }) => byteLength <= KEPT_BYTES_MAX);
      releaseMemory(buffers.filter(({ byteLength }) => byteLength > KEPT_BYTES_MAX));
      if (!this.dead) this.#send({ kind: "buffers", buffers: kept }, kept);
    };
    return { ...batch, recycle };
  }

  /** What it is read for has failed here. */
  #giveUp(reading: Reading, error: unknown): void {
    reading.failure ??= { error };
    this.#send({ kind: "cancel", chunk: reading.chunk });
  }

  #died(error: Error | null): void {
    this.dead = true;
    const why = error === null ? "it exited" : error.message;
    for (const reading of this.#readings.values())
      reading.reject(new MillraceError("CHUNK_WORKER_LOST", `the worker that read a chunk has died: ${why}`));
  }
}
