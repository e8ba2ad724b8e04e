import { constants, open, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { MillraceError } from "../../core/errors.ts";
import { syncPath, systemCode } from "../../flow/durable-file.ts";
import type { Committable, StagedWriter } from "../object-store.ts";
import { folderFailure } from "./failure.ts";
import type { Staging } from "./staging.ts";
import { stagedLost } from "../staged-lost.ts";

/** Not to a new file, where somebody has removed ours: it would lack what came before. */
const APPEND = constants.O_WRONLY | constants.O_APPEND;

/**
 * A file that nobody sees yet. It is open only while something is written to it: there may be more of them than a process
 * may have files open.
 */
export class StagedFile implements StagedWriter {
  readonly #key: string;
  readonly #path: string;
  readonly #staging: Staging;
  readonly #signal: AbortSignal;
  /** The last of the calls, which are done one after the other; rejected where the writer is broken. */
  #last: Promise<void> = Promise.resolve();
  #made = false;
  #ended = false;
  #held = 0;
  #bytes = 0;

  constructor(key: string, staging: Staging, signal: AbortSignal) {
    this.#key = key;
    this.#path = staging.stagedPathOf(key);
    this.#staging = staging;
    this.#signal = signal;
  }

  get heldBytes(): number {
    return this.#held;
  }

  get bytes(): number {
    return this.#bytes;
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.#ended) return Promise.reject(new MillraceError("INTERNAL", `${this.#key} is written after its end`));
    this.#held += bytes.byteLength;
    this.#bytes += bytes.byteLength;
    return this.#next(async () => {
      await this.#append(bytes);
      this.#held -= bytes.byteLength;
    });
  }

  async finish(): Promise<Committable> {
    if (this.#ended) throw new MillraceError("INTERNAL", `${this.#key} is finished after its end`);
    this.#ended = true;
    await this.#next(async () => {
      if (!this.#made) await this.#append(new Uint8Array(0));
      // What was written through other descriptors too; an error of writing it back that nobody has seen yet comes here.
      await syncPath(this.#path);
      await syncPath(dirname(this.#path));
    });
    return { key: this.#key, bytes: this.#bytes, staged: { kind: "file" } };
  }

  async abort(): Promise<void> {
    this.#ended = true;
    await this.#last.catch(() => undefined);
    this.#held = 0;
    try {
      await rm(this.#path, { force: true });
    } catch (error) {
      throw folderFailure(error, this.#path);
    }
  }

  #next(work: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(async () => {
      this.#signal.throwIfAborted();
      try {
        await work();
      } catch (error) {
        throw folderFailure(error, this.#path);
      }
    });
    // The caller has it as well; whoever does not wait for each call gets it from the next one.
    this.#last.catch(() => undefined);
    return this.#last;
  }

  async #append(bytes: Uint8Array): Promise<void> {
    if (!this.#made) await this.#staging.inFolderOf(this.#path, () => this.#make());
    this.#made = true;
    try {
      await using file = await open(this.#path, APPEND);
      await file.writeFile(bytes);
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
      throw stagedLost(this.#key, `its file ${this.#path} was removed while it was being written`);
    }
  }

  async #make(): Promise<void> {
    try {
      await writeFile(this.#path, "", { flag: "wx" });
    } catch (error) {
      if (systemCode(error) !== "EEXIST") throw error;
      throw new MillraceError("INTERNAL", `${this.#key} is staged a second time`, { cause: error });
    }
  }
}
