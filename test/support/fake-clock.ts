import { existsSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { projectRoot } from "./project-root.ts";

const LIBRARY = join(projectRoot, ".cache", "faketime", "libfaketime.so.1");

/** The time of day of a process that is started with `env`: it jumps at will. What measures how long something takes does not. */
export class FakeClock {
  readonly #file: string;

  constructor(file: string) {
    if (!existsSync(LIBRARY)) throw new Error("no libfaketime in .cache/: run `node scripts/setup.mjs`");
    this.#file = file;
  }

  get env(): Readonly<Record<string, string>> {
    return {
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    };
  }

  /** So far from the real time, like `+1d` or `-400d`. */
  async jump(offset: string): Promise<void> {
    await writeFile(`${this.#file}.next`, offset);
    await rename(`${this.#file}.next`, this.#file);
  }
}
