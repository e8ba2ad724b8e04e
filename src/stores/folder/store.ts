import { access, constants, mkdir, open, rename, rm } from "node:fs/promises";
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
  readonly #brief: boolean;

  constructor(path: string, brief: boolean) {
    this.place = resolve(path);
    this.#brief = brief;
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
      const done = this.#brief && condition === null ? await putInPlace(this.#staging, key, bytes) : null;
      return done ?? (await putFile(this.#staging, key, bytes, condition, !this.#brief));
    });
  }

  async get(
    key: string,
    range: ByteRange | null,
    signal: AbortSignal,
    pool?: BufferPool,
  ): Promise<Uint8Array<ArrayBuffer> | null> {
    return await this.#onKey(key, signal, async (path) => {
      try {
        return await read(path, range ?? { from: 0, to: Number.POSITIVE_INFINITY }, pool);
      } catch (error) {
        if (NO_FILE.includes(systemCode(error) ?? "")) return null;
        throw error;
      }
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
    const folders = new Set<string>();
    for (const key of keys)
      await this.#onKey(key, signal, async (path) => {
        try {
          await rm(path);
          folders.add(dirname(path));
        } catch (error) {
          if (!NO_FILE.includes(systemCode(error) ?? "") && systemCode(error) !== "ERR_FS_EISDIR") throw error;
        }
      });
    if (!this.#brief) for (const folder of folders) await this.#sync(folder);
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
async function read(
  path: string,
  { from, to }: ByteRange,
  pool: BufferPool | undefined,
): Promise<Uint8Array<ArrayBuffer> | null> {
  await using file = await open(path, "r");
  const stat = await file.stat();
  if (!stat.isFile()) return null;
  const length = Math.max(0, Math.min(to, stat.size) - from);
  const bytes = new Uint8Array(pool?.take(length) ?? new ArrayBuffer(length), 0, length);
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
