import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { syncPath, systemCode } from "../../flow/durable-file.ts";

/** More are forgotten and looked at again. */
const REMEMBERED_MAX = 10_000;

/**
 * Makes folders under a root, and has their names durable before anybody relies on them. Files by the thousand come into few
 * folders, so it remembers those that it knows to be there: whoever asks at the same time waits for the same fsync.
 */
export class MadeFolders {
  readonly #root: string;
  readonly #made = new Map<string, Promise<void>>();

  constructor(root: string) {
    this.#root = root;
  }

  ensure(folder: string): Promise<void> {
    if (folder === this.#root) return Promise.resolve();
    const known = this.#made.get(folder);
    if (known !== undefined) return known;
    if (this.#made.size >= REMEMBERED_MAX) this.#made.clear();
    const made = this.#make(folder);
    this.#made.set(folder, made);
    made.catch(() => this.#made.delete(folder));
    return made;
  }

  /** For one that turned out not to be there: somebody has removed it. */
  forget(folder: string): void {
    for (let at = folder; at.length > this.#root.length; at = dirname(at)) this.#made.delete(at);
  }

  async #make(folder: string): Promise<void> {
    const parent = dirname(folder);
    await this.ensure(parent);
    try {
      await mkdir(folder);
    } catch (error) {
      // Where a file is in its place, that shows as soon as something is to be put into it.
      if (systemCode(error) !== "EEXIST") throw error;
    }
    // Also where it was there: who made it may not have come that far.
    await syncPath(parent);
  }
}
