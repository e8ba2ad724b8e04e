import type { MessagePort } from "node:worker_threads";
import type { BufferPool } from "../core/buffer-pool.ts";
import type { ChunkReader } from "../core/chunk.ts";
import { assertNever, MillraceError } from "../core/errors.ts";
import { sentError } from "../core/sent-error.ts";
import { Notice } from "../flow/notice.ts";
import { BATCH_CREDITS, transferable, type FromWorker, type ToWorker } from "./chunk-message.ts";

/**
 * Reads the chunks that `port` asks for, as many at a time as it asks for: each with a reader of its own, which later ones
 * use again. Resolves when it is told to close, with the readers disposed. The buffers of batches that were written go back
 * to `pool`, where the readers take them from.
 */
export async function serveChunks(port: MessagePort, openReader: () => ChunkReader, pool: BufferPool): Promise<void> {
  const served = new ChunkServer(port, openReader, pool);
  await new Promise<void>((resolve) => {
    port.on("message", (message: ToWorker) => served.take(message, resolve));
    port.on("close", resolve);
  });
  await served.end();
  port.close();
}

interface ServedChunk {
  readonly abort: AbortController;
  readonly credited: Notice;
  credits: number;
  ended: Promise<void>;
}

class ChunkServer {
  readonly #port: MessagePort;
  readonly #openReader: () => ChunkReader;
  readonly #pool: BufferPool;
  readonly #served = new Map<number, ServedChunk>();
  readonly #free: ChunkReader[] = [];

  constructor(port: MessagePort, openReader: () => ChunkReader, pool: BufferPool) {
    this.#port = port;
    this.#openReader = openReader;
    this.#pool = pool;
  }

  take(message: ToWorker, close: () => void): void {
    switch (message.kind) {
      case "read":
        this.#begin(message);
        return;
      case "credit": {
        const served = this.#served.get(message.chunk);
        if (served === undefined) return;
        served.credits++;
        served.credited.notify();
        return;
      }
      case "buffers":
        for (const buffer of message.buffers) this.#pool.give(buffer);
        return;
      case "cancel":
        this.#served.get(message.chunk)?.abort.abort(cancelled());
        return;
      case "close":
        close();
        return;
      default:
        assertNever(message);
    }
  }

  async end(): Promise<void> {
    const left = [...this.#served.values()];
    for (const { abort } of left) abort.abort(cancelled());
    await Promise.all(left.map(({ ended }) => ended));
    await Promise.all(this.#free.map((reader) => reader[Symbol.asyncDispose]()));
  }

  #begin(message: ToWorker & { kind: "read" }): void {
    const served: ServedChunk = {
      abort: new AbortController(),
      credited: new Notice(),
      credits: BATCH_CREDITS,
      ended: Promise.resolve(),
    };
    this.#served.set(message.chunk, served);
    served.ended = this.#read(served, message);
  }

  /** Never rejects: how it ends is the answer. */
  async #read(served: ServedChunk, { chunk, request }: ToWorker & { kind: "read" }): Promise<void> {
    const { signal } = served.abort;
    let answer: FromWorker;
    try {
      const reader = this.#free.pop() ?? this.#openReader();
      try {
        const outcome = await reader.read(
          request,
          {
            opened: (cut) => this.#send({ kind: "opened", chunk, cut }),
            batch: async (batch) => {
              while (served.credits === 0) await served.credited.wait(signal);
              served.credits--;
              this.#port.postMessage({ kind: "batch", chunk, batch } satisfies FromWorker, transferable(batch));
            },
          },
          signal,
        );
        answer = { kind: "outcome", chunk, outcome };
      } finally {
        this.#free.push(reader);
      }
    } catch (error) {
      answer = { kind: "failed", chunk, error: sentError(error) };
    }
    this.#served.delete(chunk);
    this.#send(answer);
  }

  #send(message: FromWorker): void {
    this.#port.postMessage(message, []);
  }
}

function cancelled(): MillraceError {
  return new MillraceError("INTERNAL", "reading the chunk was given up");
}
