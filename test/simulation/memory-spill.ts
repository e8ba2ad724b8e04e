import type { ChangeBatch } from "../../src/core/change-batch.ts";
import type { Spill } from "../../src/snapshot/keyless-snapshot.ts";

/** Keeps everything in memory. */
export class MemorySpill implements Spill {
  #batches: ChangeBatch[] = [];

  append(batch: ChangeBatch): void {
    this.#batches.push(batch);
  }

  *drain(): Iterable<ChangeBatch> {
    yield* this.#batches.splice(0);
  }

  clear(): void {
    this.#batches = [];
  }
}
