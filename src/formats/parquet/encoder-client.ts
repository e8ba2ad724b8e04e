import { assertNever, MillraceError } from "../../core/errors.ts";
import { receivedError } from "../../core/sent-error.ts";
import type { FromEncoder, ToEncoder } from "./encoder-message.ts";
import type { EncodedRowGroup, EncoderWork } from "./encoding.ts";

/** A thread that runs `serveEncoder`. */
export interface EncoderHandle {
  postMessage(message: ToEncoder, transfer: readonly ArrayBuffer[]): void;
  on(event: "message", listener: (message: FromEncoder) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "exit", listener: () => void): unknown;
  terminate(): Promise<unknown>;
}

interface Waiting {
  readonly resolve: (rowGroup: EncodedRowGroup) => void;
  readonly reject: (error: unknown) => void;
}

/** One worker and what it was asked. It takes nothing more once it is worn or dead. */
export class EncoderClient {
  readonly #worker: EncoderHandle;
  readonly #recycle: (buffer: ArrayBuffer) => void;
  readonly #asked = new Map<number, Waiting>();
  #asks = 0;
  #isWorn = false;
  #ended: Promise<unknown> | null = null;
  isDead: boolean = false;

  /** `recycle` gets the buffers of what is encoded. */
  constructor(worker: EncoderHandle, recycle: (buffer: ArrayBuffer) => void) {
    this.#worker = worker;
    this.#recycle = recycle;
    worker.on("message", (answer) => this.#answered(answer));
    worker.on("error", (error) => this.#died(error.message));
    worker.on("exit", () => this.#died("it exited"));
  }

  /** Asks that are not answered. */
  get asked(): number {
    return this.#asked.size;
  }

  get takesMore(): boolean {
    return !this.isDead && !this.#isWorn;
  }

  encode(work: EncoderWork): Promise<EncodedRowGroup> {
    const ask = ++this.#asks;
    return new Promise((resolve, reject) => {
      this.#asked.set(ask, { resolve, reject });
      this.#worker.postMessage({ ask, work }, [work.buffer]);
    });
  }

  /** Rejects what is not answered. */
  async end(): Promise<void> {
    this.#ended ??= this.#worker.terminate();
    await this.#ended;
  }

  #answered(answer: FromEncoder): void {
    const waiting = this.#asked.get(answer.ask);
    this.#asked.delete(answer.ask);
    this.#recycle(answer.buffer);
    this.#isWorn ||= answer.isWorn;
    if (this.#isWorn && this.#asked.size === 0) this.#ended ??= this.#worker.terminate();
    switch (answer.kind) {
      case "encoded":
        return waiting?.resolve(answer.rowGroup);
      case "failed":
        return waiting?.reject(receivedError(answer.error));
      default:
        assertNever(answer);
    }
  }

  #died(why: string): void {
    this.isDead = true;
    for (const { reject } of this.#asked.values())
      reject(new MillraceError("PARQUET_WORKER_LOST", `the worker that encoded a row group has died: ${why}`));
    this.#asked.clear();
  }
}
