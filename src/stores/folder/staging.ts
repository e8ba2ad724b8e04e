import { randomUUID } from "node:crypto";
import { readdir, rmdir } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { systemCode } from "../../flow/durable-file.ts";
import { STAGED_SUFFIX } from "../object-key.ts";
import { MadeFolders } from "./made-folders.ts";

/** What is not visible yet lies in here: hidden, and on the same file system, so that a rename makes it visible. */
export const STAGING_FOLDER = ".staged";

/** Of a file that a `put` is about, between the key and this. */
const PUT_NAME = /\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.put$/;

/** Bounds how often a folder that vanishes is made again. */
const MAKINGS_MAX = 5;

/** The paths in a store's folder, and its folders. */
export class Staging {
  readonly root: string;
  readonly #staged: string;
  readonly #folders: MadeFolders;

  constructor(root: string) {
    this.root = root;
    this.#staged = join(root, STAGING_FOLDER);
    this.#folders = new MadeFolders(root);
  }

  /** Where an object is visible. */
  pathOf(key: string): string {
    return join(this.root, key);
  }

  stagedPathOf(key: string): string {
    return join(this.#staged, key + STAGED_SUFFIX);
  }

  /** Another one each time. */
  putPathOf(key: string): string {
    return join(this.#staged, `${key}.${randomUUID()}.put`);
  }

  /** Of a file below the staging folder, the key that it is for; null: it is none of ours. */
  keyOf(path: string): string | null {
    const name = relative(this.#staged, path).split(sep).join("/");
    if (name.startsWith("../")) return null;
    if (name.endsWith(STAGED_SUFFIX)) return name.slice(0, -STAGED_SUFFIX.length);
    return PUT_NAME.test(name) ? name.replace(PUT_NAME, "") : null;
  }

  /** Takes away the folders that stand empty since what was staged in them was completed: days and hours make many. */
  async prune(): Promise<void> {
    for (const entry of await readdir(this.#staged, { withFileTypes: true }))
      if (entry.isDirectory()) await removeEmpty(join(this.#staged, entry.name));
  }

  /** `work` with the folder of `path` there, and durable; once more where somebody removes it meanwhile. */
  async inFolderOf<T>(path: string, work: () => Promise<T>): Promise<T> {
    const folder = dirname(path);
    for (let making = 1; ; making++) {
      try {
        await this.#folders.ensure(folder);
        return await work();
      } catch (error) {
        if (systemCode(error) !== "ENOENT" || making === MAKINGS_MAX) throw error;
        this.#folders.forget(folder);
      }
    }
  }
}

/** Also where other processes make, fill and remove folders meanwhile. */
async function removeEmpty(folder: string): Promise<void> {
  try {
    for (const entry of await readdir(folder, { withFileTypes: true }))
      if (entry.isDirectory()) await removeEmpty(join(folder, entry.name));
    await rmdir(folder);
  } catch (error) {
    if (!["ENOENT", "ENOTEMPTY", "EEXIST"].includes(systemCode(error) ?? "")) throw error;
  }
}
