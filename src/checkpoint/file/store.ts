import { rename, rm, readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Ambient } from "../../core/ambient.ts";
import type { CheckpointStore, StoredEpochs, StoreOpening } from "../../core/checkpoint-store.ts";
import { MillraceError } from "../../core/errors.ts";
import { applyEpoch, type CommittedRecord, type EpochRecord } from "../../core/record.ts";
import { checkNext, fenced, takenOver } from "../fence.ts";
import { HolderWatch } from "../watch.ts";
import { makeFolder, syncPath, systemCode } from "../../flow/durable-file.ts";
import { UNFINISHED, writeDurably } from "./durable-file.ts";
import { encodeFile, type FileKind } from "./epoch-file.ts";
import { fileName, listFolder, loadFolder, type FileName, type LoadedFile, type LoadedFolder } from "./epoch-folder.ts";
import { fileFailure } from "./failure.ts";
import { takeLock, type ProcessLock } from "./process-lock.ts";

/** A new base is written when there are so many epochs behind the last one … */
const EPOCH_FILES_MAX = 64;
/** … or when they have so many bytes, and as many as the last base: so the bases cost no more than the epochs do. */
const EPOCH_BYTES_MAX = 1 << 20;

/**
 * Keeps a pipeline's checkpoint in files under `<folder>/<pipeline>/`, in the form of `epoch-folder.ts`.
 */
export function createFileStore(folder: string, pipeline: string, ambient: Ambient): CheckpointStore {
  return new FileStore(join(folder, folderName(pipeline)), pipeline, ambient);
}

/** A pipeline's name as one plain folder name, different for different names. */
export function folderName(pipeline: string): string {
  return encodeURIComponent(pipeline).replace(/^\./, "%2E");
}

/** What is in memory of a store that was opened. */
interface OpenState {
  readonly lock: ProcessLock;
  readonly watch: HolderWatch;
  /** Where the next epoch goes; `reset` begins another. */
  readonly generation: number;
  readonly highestGeneration: number;
  /** Files of earlier generations, which go when this one has an epoch. */
  readonly older: readonly string[];
  readonly base: LoadedFile | null;
  /** The epochs behind the base, oldest first. */
  readonly epochs: readonly LoadedFile[];
  /** The record before `newest`: what the next base holds, since it is surely committed. */
  readonly before: CommittedRecord | null;
  readonly newest: CommittedRecord | null;
}

class FileStore implements CheckpointStore {
  readonly place: string;
  readonly #folder: string;
  readonly #pipeline: string;
  readonly #ambient: Ambient;
  #state: OpenState | null = null;

  constructor(folder: string, pipeline: string, ambient: Ambient) {
    this.place = folder;
    this.#folder = folder;
    this.#pipeline = pipeline;
    this.#ambient = ambient;
  }

  async open(opening: StoreOpening): Promise<StoredEpochs | null> {
    if (this.#state !== null) throw new MillraceError("INTERNAL", "the checkpoint store is already open");
    const { passOverDamage = false, takeOver = false } = opening;
    try {
      await makeFolder(this.#folder);
    } catch (error) {
      throw fileFailure(error, this.#folder);
    }
    const lock = await takeLock(this.#folder, this.#ambient.pid, takeOver);
    try {
      opening.taken?.();
      const names = await listFolder(this.#folder);
      const loaded = await this.#load(names, passOverDamage);
      await this.#removeLeftovers(loaded);
      if (loaded?.torn)
        this.#ambient.logger.warn("newest checkpoint file is damaged, using the one before", {
          damage: loaded.torn.message,
          epoch: loaded.stored.newest.epoch,
        });
      const told = (): void => opening.takenOver?.(takenOver(this.place));
      const watch = new HolderWatch(this.#ambient, () => lock.isHeld(), told);
      this.#state = { lock, watch, ...openFiles(loaded, names) };
      return loaded?.stored ?? null;
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  async #load(names: readonly FileName[], passOverDamage: boolean): Promise<LoadedFolder | null> {
    try {
      return await loadFolder(this.#folder, this.#pipeline, names);
    } catch (error) {
      if (!passOverDamage || !(error instanceof MillraceError) || error.code !== "CHECKPOINT_DAMAGED") throw error;
      this.#ambient.logger.warn("checkpoint is damaged, and passed over", { damage: error.message });
      return null;
    }
  }

  async put(record: EpochRecord): Promise<void> {
    const state = this.#opened();
    if (!(await state.lock.isHeld())) throw fenced("another run has taken it over", record);
    const { newest } = state;
    checkNext(this.#pipeline, newest, record);
    const bytes = await this.#write(state.generation, "epoch", record);
    const epochs = [...state.epochs, { epoch: record.epoch, bytes }];
    const highestGeneration = Math.max(state.highestGeneration, state.generation);
    this.#state = {
      ...state,
      highestGeneration,
      older: [],
      epochs,
      before: newest,
      newest: applyEpoch(newest, record),
    };
    await this.#remove(state.older);
  }

  async confirm(epoch: number): Promise<void> {
    const { newest } = this.#opened();
    if (newest?.epoch !== epoch)
      throw new MillraceError("INTERNAL", `epoch ${epoch} is confirmed while the store is at ${newest?.epoch ?? 0}`);
    await this.#compact();
  }

  async reset(record: CommittedRecord): Promise<void> {
    const state = this.#opened();
    if (!(await state.lock.isHeld())) throw fenced("another run has taken it over", record);
    if (state.newest !== null && state.newest.token >= record.token)
      throw fenced(`its token is ${state.newest.token}`, record);
    const generation = state.highestGeneration + 1;
    const bytes = await this.#write(generation, "base", record);
    const replaced = (await listFolder(this.#folder)).filter((name) => name.generation < generation);
    this.#state = {
      ...state,
      generation,
      highestGeneration: generation,
      older: replaced.filter((name) => name.generation === state.generation).map(fileName),
      base: { epoch: record.epoch, bytes },
      epochs: [],
      before: record,
      newest: record,
    };
    this.#ambient.failpoint("checkpoint.base-written");
    // Runs that end before their first epoch leave one generation behind, not one each.
    await this.#remove(replaced.filter((name) => name.generation !== state.generation).map(fileName));
  }

  async read(): Promise<StoredEpochs | null> {
    return await readFolder(this.#folder, this.#pipeline);
  }

  async remove(): Promise<void> {
    await removeFolder(this.#folder, this.#ambient.pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const state = this.#state;
    this.#state = null;
    await state?.watch[Symbol.asyncDispose]();
    await state?.lock.release();
  }

  #opened(): OpenState {
    if (this.#state === null) throw new MillraceError("INTERNAL", "the checkpoint store is not open");
    return this.#state;
  }

  async #write(generation: number, kind: FileKind, record: CommittedRecord): Promise<number> {
    const { epoch, token, parts } = record;
    const content = encodeFile({ kind, pipeline: this.#pipeline, epoch, token, parts });
    await writeDurably(this.#folder, fileName({ generation, kind, epoch }), content, this.#ambient.failpoint);
    return content.byteLength;
  }

  /** The base holds the epoch before the newest: the newest stays a file of its own, so that there is one to go back to. */
  async #compact(): Promise<void> {
    const state = this.#opened();
    const { generation, epochs, before } = state;
    const bytes = epochs.reduce((sum, file) => sum + file.bytes, 0);
    const full = epochs.length > EPOCH_FILES_MAX || bytes > Math.max(EPOCH_BYTES_MAX, state.base?.bytes ?? 0);
    if (!full || epochs.length < 2 || before === null) return;
    const base = { epoch: before.epoch, bytes: await this.#write(generation, "base", before) };
    this.#ambient.failpoint("checkpoint.base-written");
    this.#state = { ...state, base, epochs: epochs.slice(-1) };
    const old = epochs.slice(0, -1).map(({ epoch }) => fileName({ generation, kind: "epoch", epoch }));
    if (state.base !== null) old.push(fileName({ generation, kind: "base", epoch: state.base.epoch }));
    await this.#remove(old);
  }

  async #removeLeftovers(loaded: LoadedFolder | null): Promise<void> {
    const names = await readdir(this.#folder);
    await this.#remove([...(loaded?.leftovers ?? []), ...names.filter((name) => name.endsWith(UNFINISHED))]);
  }

  /** What counts instead is durable, so nothing depends on when these are gone. */
  async #remove(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const path = join(this.#folder, name);
      try {
        await rm(path, { force: true });
      } catch (error) {
        throw fileFailure(error, path);
      }
    }
  }
}

function openFiles(loaded: LoadedFolder | null, names: readonly FileName[]): Omit<OpenState, "lock" | "watch"> {
  if (loaded === null)
    return {
      generation: 1,
      // Of files that are damaged, where they are passed over.
      highestGeneration: Math.max(0, ...names.map((name) => name.generation)),
      older: [],
      base: null,
      epochs: [],
      before: null,
      newest: null,
    };
  const { generation, highestGeneration, base, epochs, stored } = loaded;
  const older = names.filter((name) => name.generation < generation).map(fileName);
  return { generation, highestGeneration, older, base, epochs, before: stored.confirmed, newest: stored.newest };
}

/** Bounds how often a reader begins anew because the pipeline it looks at just renamed or removed a file. */
const READS_MAX = 20;

/** What is in a folder, read without its lock, for `status` while the pipeline runs. */
async function readFolder(folder: string, pipeline: string): Promise<StoredEpochs | null> {
  let listed = await listFolder(folder);
  for (let read = 1; ; read++) {
    const seen = listed.map(fileName).sort().join();
    try {
      return (await loadFolder(folder, pipeline, listed))?.stored ?? null;
    } catch (error) {
      // A file that is missing or torn counts only where the folder has stood still meanwhile.
      listed = await listFolder(folder);
      if (read === READS_MAX || listed.map(fileName).sort().join() === seen) throw error;
    }
  }
}

async function removeFolder(path: string, pid: number): Promise<void> {
  const folder = dirname(path);
  // Renamed first, so that a crash in between leaves all of it or nothing. No pipeline's folder begins with a dot.
  const removed = join(folder, `.removed-${basename(path)}`);
  try {
    await rm(removed, { recursive: true, force: true });
    await readdir(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return;
    throw fileFailure(error, path);
  }
  const lock = await takeLock(path, pid, false);
  try {
    await rename(path, removed);
    await syncPath(folder);
    await rm(removed, { recursive: true, force: true });
  } catch (error) {
    await lock.release();
    throw fileFailure(error, path);
  }
}
