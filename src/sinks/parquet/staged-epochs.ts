import type { Ambient } from "../../core/ambient.ts";
import { MillraceError } from "../../core/errors.ts";
import type { ObjectStore } from "../../stores/object-store.ts";
import type { EpochFile, StagedEpoch } from "./epoch-entry.ts";
import type { EpochLog } from "./epoch-log.ts";
import { parseFileName, pathPart } from "./layout.ts";
import type { TableDocuments } from "./table-documents.ts";

export interface StagedEpochsParts {
  readonly pipeline: string;
  readonly store: ObjectStore;
  readonly log: EpochLog;
  readonly documents: TableDocuments;
  readonly ambient: Ambient;
  /** Files that are made visible at a time. */
  readonly filesAtATime: number;
}

/** What becomes of staged files: those of a decided epoch become visible, those of one that is over and was not decided go. */
export class StagedEpochs {
  readonly #parts: StagedEpochsParts;

  constructor(parts: StagedEpochsParts) {
    this.#parts = parts;
  }

  /**
   * That what was staged is there still, just before its epoch is decided: a run before may have staged it, or this one may
   * have been frozen since. Fails with `STORE_STAGED_LOST`.
   */
  async check(epoch: number, files: readonly EpochFile[], signal: AbortSignal): Promise<void> {
    if (files.length === 0) return;
    const { store } = this.#parts;
    const there = new Set<string>();
    // All in one request, mostly; those that it does not name are asked for. Names of files are those of one attempt.
    for await (const { key } of store.leftovers("", signal)) there.add(key);
    for (const file of files)
      if (!there.has(file.key) && !(await store.isStaged(file, signal)))
        throw new MillraceError("STORE_STAGED_LOST", `${file.key}, staged for epoch ${epoch}, is gone`);
  }

  /** Of a decided epoch; may be repeated. Fails with `SINK_FILES_LOST` behind all files that are not. */
  async makeVisible({ files, tables }: StagedEpoch, signal: AbortSignal): Promise<void> {
    const { store, documents, log, ambient, filesAtATime } = this.#parts;
    // First: whoever sees a file finds its schema.
    await documents.write(tables, log.state.sequence, signal);
    const left = [...files];
    const lost: MillraceError[] = [];
    const worker = async (): Promise<void> => {
      for (let file = left.pop(); file !== undefined; file = left.pop()) {
        const error = await complete(store, file, signal);
        if (error !== null) lost.push(error);
        ambient.failpoint("sink.file-completed");
      }
    };
    await Promise.all(Array.from({ length: filesAtATime }, worker));
    if (lost[0] !== undefined) throw lost[0];
  }

  /** The way out where files of the last epoch are lost must not be barred by that. */
  async makeWhatIsThereVisible(staged: StagedEpoch, signal: AbortSignal): Promise<void> {
    try {
      await this.makeVisible(staged, signal);
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== "SINK_FILES_LOST") throw error;
      this.#parts.ambient.logger.warn("the last epoch is forgotten without all of its files", {
        reason: error.message,
      });
    }
  }

  /**
   * Takes away what this pipeline had staged for epochs that are over: whoever wrote it, nothing can decide for it any more.
   * What was staged for the next one stays, since the record in the store may name it. Nobody else's is touched.
   */
  async removeLeftovers(signal: AbortSignal): Promise<void> {
    const { store, pipeline, log, ambient } = this.#parts;
    let removed = 0;
    for await (const leftover of store.leftovers("", signal)) {
      const name = parseFileName(leftover.key);
      if (name?.pipeline !== pathPart(pipeline) || name.sequence > log.state.sequence) continue;
      await store.discard(leftover, signal);
      removed++;
    }
    if (removed > 0) ambient.logger.info("staged files of earlier runs removed", { files: removed });
  }
}

/** Returns the error where what was staged is gone. */
async function complete(store: ObjectStore, file: EpochFile, signal: AbortSignal): Promise<MillraceError | null> {
  const { key, bytes, staged } = file;
  try {
    await store.complete({ key, bytes, staged }, signal);
    return null;
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== "STORE_STAGED_LOST") throw error;
    return new MillraceError("SINK_FILES_LOST", `${key}, of an epoch that is decided, was staged and is gone.`, {
      cause: error,
    });
  }
}
