import { access, constants, type FileHandle, mkdir, open, rename, rm, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { BufferPool } from "../../core/buffer-pool.ts";
import { MillraceError } from "../../core/errors.ts";
import { syncPath, systemCode } from "../../flow/durable-file.ts";
import { checkKey, isKey } from "../object-key.ts";
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
import { stagedLost } from "../staged-lost.ts";
import { tryConditions } from "../try-conditions.ts";
import { folderFailure } from "./failure.ts";
import { putFile, putInPlace, tagOf } from "./put-file.ts";
import { StagedFile } from "./staged-file.ts";
import { Staging, STAGING_FOLDER } from "./staging.ts";
import { statOf, walk, type WalkedFile } from "./walk.ts";

/** What a name for a folder in place of a file's gives. */
const NO_FILE = ["ENOENT", "ENOTDIR", "EISDIR"];

/**
 * A folder of this machine: a key is a path in it. What is staged lies in its hidden folder `.staged`, and a rename makes it
 * visible. Everything is fsynced before it counts, names too.
 */
export class FolderStore implements ObjectStore {
  readonly place: string;
  readonly #staging: Staging;

  constructor(path: string) {
    this.place = resolve(path);
    this.#staging = new Staging(this.place);
  }

  async open(signal: AbortSignal): Promise<StoreAbilities> {
    signal.throwIfAborted();
    try {
      await this.#makeRoot();
    } catch (error) {
      throw folderFailure(error, this.place);
    }
    const found = await tryConditions(this, signal);
    try {
      await this.#staging.prune();
    } catch (error) {
      throw folderFailure(error, this.place);
    }
    // A file is compared and replaced in two steps, whatever the trial says.
    return { ...found, conditionalReplace: false };
  }

  /** Not what is above it: a path with a mistake in it would be filled, and the one that is meant stay empty. */
  async #makeRoot(): Promise<void> {
    try {
      await mkdir(this.place);
      await syncPath(dirname(this.place));
    } catch (error) {
      const system = systemCode(error);
      if (system === "ENOENT")
        throw new MillraceError(
          "STORE_MISSING",
          `there is no folder ${dirname(this.place)} to make the folder of the files in`,
          {
            place: { file: this.place },
            cause: error,
          },
        );
      if (system !== "EEXIST") throw error;
      // What cannot be used is said of the place itself: what is tried in it has a name that nobody knows.
      await access(`${this.place}/.`, constants.R_OK | constants.W_OK | constants.X_OK);
    }
  }

  async put(key: string, bytes: Uint8Array, condition: PutCondition | null, signal: AbortSignal): Promise<ObjectInfo> {
    return await this.#onKey(key, signal, async () => {
      return await putFile(this.#staging, key, bytes, condition);
    });
  }

  async putBrief(key: string, pieces: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
    await this.#onKey(key, signal, () => putInPlace(this.#staging, key, pieces));
  }

  async get(key: string, range: ByteRange | null, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer> | null> {
    return await this.#onFile(key, signal, (path) => read(path, range ?? { from: 0, to: Number.POSITIVE_INFINITY }));
  }

  async getInto(
    pool: BufferPool,
    key: string,
    bytes: number,
    signal: AbortSignal,
  ): Promise<Uint8Array<ArrayBuffer> | null> {
    return await this.#onFile(key, signal, async (path) => {
      await using file = await open(path, "r");
      return await readInto(file, new Uint8Array(pool.take(bytes), 0, bytes), 0);
    });
  }

  async head(key: string, signal: AbortSignal): Promise<ObjectInfo | null> {
    return await this.#onKey(key, signal, async (path) => {
      const stat = await statOf(path);
      return stat?.isFile() === true ? infoOf({ name: key, stat }) : null;
    });
  }

  async *list(prefix: string, signal: AbortSignal): AsyncGenerator<ObjectInfo> {
    try {
      for await (const file of walk(this.place, prefix, STAGING_FOLDER, signal))
        if (isKey(file.name)) yield infoOf(file);
    } catch (error) {
      signal.throwIfAborted();
      throw folderFailure(error, this.place);
    }
  }

  async delete(keys: readonly string[], signal: AbortSignal): Promise<void> {
    for (const folder of await this.#unlink(keys, signal)) await this.#sync(folder);
  }

  async deleteBrief(keys: readonly string[], signal: AbortSignal): Promise<void> {
    await this.#unlink(keys, signal);
  }

  /** Returns the folders that have a name less. */
  async #unlink(keys: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>> {
    const folders = new Set<string>();
    for (const key of keys)
      await this.#onKey(key, signal, async (path) => {
        try {
          await unlink(path);
          folders.add(dirname(path));
        } catch (error) {
          if (!NO_FILE.includes(systemCode(error) ?? "")) throw error;
        }
      });
    return folders;
  }

  stage(key: string, signal: AbortSignal): StagedWriter {
    checkKey(key);
    return new StagedFile(key, this.#staging, signal);
  }

  async complete(committable: Committable, signal: AbortSignal): Promise<void> {
    const { key, bytes } = committable;
    await this.#onKey(key, signal, async (path) => {
      const staged = this.#staging.stagedPathOf(key);
      const before = await statOf(staged);
      if (before !== null && Number(before.size) !== bytes)
        throw stagedLost(key, `its file ${staged} has ${before.size} bytes and not ${bytes}`);
      const moved = before !== null && (await this.#move(staged, path));
      const after = moved ? null : await statOf(path);
      if (!moved && (after === null || Number(after.size) !== bytes))
        throw stagedLost(key, `neither ${staged} nor a file of ${bytes} bytes at ${path} is there`);
      // Where a crash or another process has moved it too: that may not have come so far.
      await syncPath(dirname(path));
      if (moved) await syncUnlessGone(dirname(staged));
    });
  }

  async isStaged({ key, bytes }: Committable, signal: AbortSignal): Promise<boolean> {
    return await this.#onKey(key, signal, async () => {
      const staged = await statOf(this.#staging.stagedPathOf(key));
      return staged !== null && Number(staged.size) === bytes;
    });
  }

  /** False: somebody else was first. */
  async #move(from: string, to: string): Promise<boolean> {
    return await this.#staging.inFolderOf(to, async () => {
      try {
        await rename(from, to);
        return true;
      } catch (error) {
        if (systemCode(error) === "ENOENT" && (await statOf(from)) === null) return false;
        throw error;
      }
    });
  }

  async *leftovers(prefix: string, signal: AbortSignal): AsyncGenerator<StagedLeftover> {
    const folder = join(this.place, STAGING_FOLDER);
    try {
      for await (const { name } of walk(folder, prefix, null, signal)) {
        const key = this.#staging.keyOf(join(folder, name));
        if (key?.startsWith(prefix) === true) yield { key, staged: { kind: "file", name } };
      }
    } catch (error) {
      signal.throwIfAborted();
      throw folderFailure(error, folder);
    }
  }

  async discard(leftover: StagedLeftover, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const path = join(this.place, STAGING_FOLDER, fileNameIn(leftover));
    if (this.#staging.keyOf(path) !== leftover.key)
      throw new MillraceError("INTERNAL", `${path} is not what was staged for ${leftover.key}`);
    try {
      await rm(path, { force: true });
    } catch (error) {
      throw folderFailure(error, path);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #sync(folder: string): Promise<void> {
    try {
      await syncPath(folder);
    } catch (error) {
      throw folderFailure(error, folder);
    }
  }

  /** Null: there is none. */
  async #onFile<T>(key: string, signal: AbortSignal, work: (path: string) => Promise<T>): Promise<T | null> {
    return await this.#onKey(key, signal, async (path) => {
      try {
        return await work(path);
      } catch (error) {
        if (NO_FILE.includes(systemCode(error) ?? "")) return null;
        throw error;
      }
    });
  }

  async #onKey<T>(key: string, signal: AbortSignal, work: (path: string) => Promise<T>): Promise<T> {
    checkKey(key);
    signal.throwIfAborted();
    const path = this.#staging.pathOf(key);
    try {
      return await work(path);
    } catch (error) {
      signal.throwIfAborted();
      throw folderFailure(error, path);
    }
  }
}

/** Empty folders of what was staged are taken away. */
async function syncUnlessGone(folder: string): Promise<void> {
  try {
    await syncPath(folder);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}

function infoOf({ name, stat }: WalkedFile): ObjectInfo {
  return { key: name, bytes: Number(stat.size), tag: tagOf(stat) };
}

/** Null: a folder. */
async function read(path: string, { from, to }: ByteRange): Promise<Uint8Array<ArrayBuffer> | null> {
  await using file = await open(path, "r");
  const stat = await file.stat();
  if (!stat.isFile()) return null;
  return await readInto(file, new Uint8Array(Math.max(0, Math.min(to, stat.size) - from)), from);
}

async function readInto(
  file: FileHandle,
  bytes: Uint8Array<ArrayBuffer>,
  from: number,
): Promise<Uint8Array<ArrayBuffer>> {
  let read = 0;
  while (read < bytes.byteLength) {
    const { bytesRead } = await file.read(bytes, read, bytes.byteLength - read, from + read);
    if (bytesRead === 0) break;
    read += bytesRead;
  }
  return bytes.subarray(0, read);
}

function fileNameIn({ key, staged }: StagedLeftover): string {
  if (typeof staged === "object" && staged !== null && "name" in staged && typeof staged.name === "string")
    return staged.name;
  throw new MillraceError("INTERNAL", `what is left of ${key} names no file`);
}
