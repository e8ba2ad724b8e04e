import { copyFileSync, statSync, utimesSync } from "node:fs";
import { expect, it } from "vitest";
import { fileDuckdb } from "./file-duckdb.ts";
import { tempFolder } from "./temp-folder.ts";

it("reads a file anew that was written in the place of another of the same length and time", async () => {
  await using folder = tempFolder();
  const instance = await fileDuckdb();
  const connection = await instance.connect();
  try {
    const made = ["1", "2"].map((value) => ({ value, path: folder.file(`${value}.parquet`) }));
    for (const { value, path } of made)
      await connection.run(
        `COPY (SELECT ${value}000 + i AS n FROM range(1000) t(i)) TO '${path}' (COMPRESSION uncompressed)`,
      );
    expect(new Set(made.map(({ path }) => statSync(path).size)).size).toBe(1);
    const path = folder.file("read.parquet");
    for (const { value, path: from } of made) {
      copyFileSync(from, path);
      utimesSync(path, 1000, 1000);
      const read = await connection.runAndReadAll(`SELECT min(n)::VARCHAR FROM read_parquet('${path}')`);
      expect(read.getRows()).toEqual([[`${value}000`]]);
    }
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
});
