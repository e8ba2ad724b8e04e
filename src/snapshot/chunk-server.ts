import type { MessagePort } from "node:worker_threads";
import type { BufferPool } from "../core/buffer-pool.ts";
import type { ChunkReader } from "../core/chunk.ts";
import { assertNever, MillraceError } from "../core/errors.ts";
import { Notice } from "../flow/notice.ts";
import { BATCH_CREDITS, sentError, transferable, type FromWorker, type ToWorker } from "./chunk-message.ts";

/**
 * Reads the chunks that `port` asks for, one at a time. Resolves when it is told to close, with the reader disposed. The
 * buffers of batches that were written go back to `pool`, where the reader takes them from.
 */
export async function serveChunks(port: MessagePort, reader: ChunkReader, pool: BufferPool): Promise<void> {
  const served = new ChunkServer(port, reader, pool);
  await new Promise<void>((resolve) => {
    port.on("message", (message: ToWorker) => served.take(message, resolve));
    port.on("close", resolve);
  });
  await served.end();
  port.close();
}

interface ServedChunk {
  readonly chunk: number;
  readonly abort: AbortController;
  readonly credited: Notice;
  credits: number;
  ended: Promise<void>;
}

class ChunkServer {
  readonly #port: MessagePort;
  readonly #reader: ChunkReader;
  readonly #pool: BufferPool;
  #current: ServedChunk | null = null;

  constructor(port: MessagePort, reader: ChunkReader, pool: BufferPool) {
    this.#port = port;
    this.#reader = reader;
    this.#pool = pool;
  }

  take(message: ToWorker, close: () => void): void {
    switch (message.kind) {
      case "read":
        this.#begin(message);
        return;
      case "credit":
        if (this.#current?.chunk !== message.chunk) return;
        this.#current.credits++;
        this.#current.credited.notify();
        return;
      case "buffers":
        for (const buffer of message.buffers) this.#pool.give(buffer);
        return;
      case "cancel":
        if (this.#current?.chunk === message.chunk) this.#current.abort.abort(cancelled());
        return;
      case "close":
        close();
        return;
      default:
        assertNever(message);
    }
  }

  async end(): Promise<void> {
    this.#current?.abort.abort(cancelled());
    await this.#current?.ended;
    await this.#reader[Symbol.asyncDispose]();
  }

  #begin(message: ToWorker & { kind: "read" }): void {
    const { chunk } = message;
    if (this.#current !== null) {
      const error = sentError(new MillraceError("INTERNAL", "a chunk worker was asked for two chunks at once"));
      this.#send({ kind: "failed", chunk, error });
      return;
    }
    const current: ServedChunk = {
      chunk,
      abort: new AbortController(),
      credited: new Notice(),
      credits: BATCH_CREDITS,
      ended: Promise.resolve(),
    };
    this.#current = current;
    current.ended = this.#read(current, message);
  }

  /** Never rejects: how it ends is the answer. */
  async #read(current: ServedChunk, { chunk, request }: ToWorker & { kind: "read" }): Promise<void> {
    const { signal } = current.abort;
    let answer: FromWorker;
    try {
      const outcome = await this.#reader.read(
        request,
        {
          opened: (cut) => this.#send({ kind: "opened", chunk, cut }),
          batch: async (batch) => {
            while (current.credits === 0) await current.credited.wait(signal);
            current.credits--;
            this.#port.postMessage({ kind: "batch", chunk, batch } satisfies FromWorker, transferable(batch));
          },
        },
        signal,
      );
      answer = { kind: "outcome", chunk, outcome };
    } catch (error) {
      answer = { kind: "failed", chunk, error: sentError(error) };
    }
    this.#current = null;
    this.#send(answer);
  }

  #send(message: FromWorker): void {
    this.#port.postMessage(message, []);
  }
}

function cancelled(): MillraceError {
  return new MillraceError("INTERNAL", "reading the chunk was given up");
}
