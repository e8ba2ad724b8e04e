import { describe, expect, test } from "vitest";
import { duckdbError } from "./errors.ts";

/** DuckDB 1.5's own texts, shortened. */
const CASES: readonly (readonly [string, string])[] = [
  [
    'IO Error: Could not set lock on file "/w.duckdb": Conflicting lock is held in /usr/bin/duckdb (PID 4711). See also https://duckdb.org',
    "SINK_LOCKED",
  ],
  ['IO Error: The file "/w.duckdb" exists, but it is not a valid DuckDB database file!', "SINK_NOT_DUCKDB"],
  [
    "IO Error: Trying to read a database file with version number 99, but we can only read versions between 64 and 68.",
    "SINK_NEWER_FORMAT",
  ],
  ['IO Error: Could not write file "/w.duckdb": No space left on device', "SINK_DISK_FULL"],
  ["Out of Memory Error: failed to pin block of size 256.0 KiB (95.2 MiB/95.3 MiB used)", "SINK_OUT_OF_MEMORY"],
  ["TransactionContext Error: Failed to commit: failed to pin block of size 1.0 MiB", "SINK_OUT_OF_MEMORY"],
  ['IO Error: Cannot open file "/none/w.duckdb": No such file or directory', "SINK_UNOPENABLE"],
  ['IO Error: Cannot open file "/w.duckdb": Permission denied', "SINK_UNOPENABLE"],
  ["IO Error: Corrupt database file: computed checksum 1 does not match stored checksum 2 in block", "SINK_DAMAGED"],
  ["TransactionContext Error: Failed to commit: write-write conflict on key", "FENCED"],
  ["TransactionContext Error: Conflict on update!", "FENCED"],
  ['Constraint Error: Duplicate key "id: 1" violates primary key constraint.', "SINK_DUPLICATE_KEY"],
  ["Catalog Error: Table with name orders does not exist!", "SINK_DAMAGED"],
  ["INTERRUPT Error: Interrupted!", "SINK_CLOSED"],
  ['Parser Error: syntax error at or near "FROM"', "INTERNAL"],
  ["Conversion Error: Could not convert string 'secret' to INT32", "SINK_FAILED"],
  ["something else", "SINK_FAILED"],
];

describe("duckdbError", () => {
  test.each(CASES)("%s", (message, code) => {
    const error = duckdbError(new Error(message), "w.duckdb");
    expect(error.code).toBe(code);
    expect(error.message).toContain("w.duckdb");
    expect(error.hint).not.toBe("");
  });

  test("never says a value of a row", () => {
    const error = duckdbError(new Error("Conversion Error: Could not convert string 'secret' to INT32"), "w.duckdb");
    expect(`${error.message} ${error.hint}`).not.toContain("secret");
    expect(error.message).toContain("Conversion");
  });

  test("names the process that holds the file", () => {
    const { message, hint } = duckdbError(new Error(CASES[0]![0]), "w.duckdb");
    expect(message).toContain("/usr/bin/duckdb (process 4711)");
    expect(hint).toContain("4711");
  });
});
