// Python in .cache/python with the readers of Parquet that tests ask for their opinion: pyarrow, and the DuckDB of a later
// version than ours. Does nothing where they are there.
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, run, say, StepError } from "./steps.mjs";

const PACKAGES = ["pyarrow==26.0.1", "duckdb==2.0.1"];
const FOLDER = join(root, ".cache", "python");
/** Written last, with what was installed. */
const COMPLETE = join(FOLDER, "millrace-readers.txt");
const WAY_OUT =
  "Tests read Parquet files by Python's pyarrow. They need python3 with its venv module and pip (on Debian: apt-get install python3-venv), and a package index that pip is set up with.";

export function ensurePythonReaders() {
  const wanted = PACKAGES.join("\n");
  if (existsSync(COMPLETE) && readFileSync(COMPLETE, "utf8") === wanted) return;
  say(`install: ${PACKAGES.join(" and ")} into .cache/python`);
  rmSync(FOLDER, { recursive: true, force: true });
  try {
    run("python3 -m venv", "python3", ["-m", "venv", FOLDER]);
    const flags = ["--quiet", "--disable-pip-version-check", "--only-binary=:all:"];
    run("pip install", join(FOLDER, "bin", "python"), ["-m", "pip", "install", ...flags, ...PACKAGES]);
  } catch (error) {
    throw error instanceof StepError ? new StepError(`${error.message}\n${WAY_OUT}`, error.exitCode) : error;
  }
  writeFileSync(COMPLETE, wanted);
}
