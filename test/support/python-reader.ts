import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { join } from "node:path";
import type { Cell } from "./parquet-cells.ts";
import { projectRoot } from "./project-root.ts";

/** What pyarrow says of a leaf of a file's schema. */
export interface PythonLeaf {
  readonly path: string;
  readonly physical: string;
  readonly logical: Readonly<Record<string, unknown>>;
}

/** What parquet-reader.py prints of a file. */
export interface PythonFile {
  readonly rows: number;
  readonly rowGroups: number;
  readonly createdBy: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly leaves: readonly PythonLeaf[];
  readonly types: readonly string[];
  readonly required: readonly boolean[];
  readonly fieldIds: Readonly<Record<string, string>>;
  readonly pyarrow: readonly (readonly Cell[])[];
  readonly duckdb: readonly (readonly Cell[])[];
}

/** Python with its readers, as scripts/python-readers.mjs has set it up; one process for many files. */
export class PythonReader implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor() {
    const program = join(projectRoot, "test", "support", "parquet-reader.py");
    this.#child = spawn(join(projectRoot, ".cache", "python", "bin", "python"), [program], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  async read(path: string): Promise<PythonFile> {
    this.#child.stdin!.write(`${path}\n`);
    const line = await this.#lines.next();
    if (line.done === true) throw new Error("the Python reader has ended: see what it printed");
    return JSON.parse(line.value) as PythonFile;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.stdin!.end();
    await ended;
  }
}
