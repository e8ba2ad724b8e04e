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

/** By the file's path: its rows, and a number in which every one of its cells has a part. */
type FilesSeen = Readonly<Record<string, readonly [number, number]>>;

/** The rows of a table's files in the order of `_seq`: the cells of each column. */
export interface RowsRead {
  readonly names: readonly string[];
  readonly types: readonly string[];
  readonly cells: readonly (readonly Cell[])[];
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
    return await this.#ask<PythonFile>(path);
  }

  /** What there is below the folder at this moment, by a plain glob and by pyarrow's own way with folders. */
  async look(folder: string): Promise<Readonly<Record<"duckdb" | "pyarrow", FilesSeen>>> {
    return await this.#ask(`look ${folder}`);
  }

  /** `wholeFolder`: how many rows there are where pyarrow is to find out about the partitions by itself. */
  async rows(
    folder: string,
  ): Promise<{ readonly duckdb: RowsRead; readonly pyarrow: RowsRead; readonly wholeFolder: number }> {
    return await this.#ask(`rows ${folder}`);
  }

  async #ask<Answer>(request: string): Promise<Answer> {
    this.#child.stdin!.write(`${request}\n`);
    const line = await this.#lines.next();
    if (line.done === true) throw new Error("the Python reader has ended: see what it printed");
    return JSON.parse(line.value) as Answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.stdin!.end();
    await ended;
  }
}
