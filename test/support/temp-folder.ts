import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TempFolder extends AsyncDisposable {
  readonly path: string;
  /** The path of `name` in it. */
  file(name: string): string;
}

/** An empty folder, removed with what is in it: `await using folder = tempFolder()`. */
export function tempFolder(): TempFolder {
  const path = mkdtempSync(join(tmpdir(), "millrace-test-"));
  return {
    path,
    file: (name) => join(path, name),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}
