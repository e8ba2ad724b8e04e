import type { Ambient } from "../core/ambient.ts";
import type { CheckpointStore, StoredEpochs } from "../core/checkpoint-store.ts";
import { MillraceError } from "../core/errors.ts";

/**
 * Keeps a pipeline's checkpoint in files under `<folder>/<pipeline>/`. `pid` is this process's own id, for the lock.
 */
export function createFileStore(folder: string, pipeline: string, pid: number, ambient: Ambient): CheckpointStore {
  throw new MillraceError("INTERNAL", `not built yet: ${folder} ${pipeline} ${pid} ${ambient.clock.nowMs()}`);
}

/** What a store holds, read without its lock, for `status` while the pipeline runs. */
export function readStore(folder: string, pipeline: string): Promise<StoredEpochs | null> {
  throw new MillraceError("INTERNAL", `not built yet: ${folder} ${pipeline}`);
}

/** Takes a pipeline's checkpoint away. Fails with `CHECKPOINT_LOCKED` while a living process has it. */
export function removeStore(folder: string, pipeline: string, pid: number): Promise<void> {
  throw new MillraceError("INTERNAL", `not built yet: ${folder} ${pipeline} ${pid}`);
}
