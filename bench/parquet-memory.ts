import { measureMemory } from "./memory.ts";
import type { Bench } from "./measurement.ts";
import { manyTablesParts, wideParts } from "./mysql-memory-parts.ts";
import { startBenchMysql } from "./mysql-server.ts";

const TABLES = 500;

export const parquetMemory: Bench = {
  name: "parquet-memory",
  about:
    "peak memory with rows of 64 MB, and with 500 tables open at once in epochs of a minute, from MySQL into Parquet files (log and snapshot)",
  async run(runs, say) {
    await using server = await startBenchMysql("mysql");
    return await measureMemory("parquet-memory", runs, say, {
      ...wideParts(server, "parquet"),
      ...manyTablesParts(server, "parquet", TABLES, "1min"),
    });
  },
};
