/**
 * What the DuckDB sink needs to know, normalised: the pipeline file's `sink` block after parsing. Path option: the
 * folder must exist; the file is created.
 */
export interface DuckdbOptions {
  /** `sink.path`: the database file, absolute or relative to the working folder. */
  readonly path: string;
  /** `sink.memory-limit`: DuckDB's own limit. The process needs about 200 MB beside it. */
  readonly memoryLimitBytes: number;
  /** `sink.threads`: threads of DuckDB. */
  readonly threads: number;
  /** `sink.primary-key`: give the target tables a PRIMARY KEY. Its index must fit in memory. */
  readonly primaryKey: boolean;
}

const MIB = 1024 * 1024;

export const DUCKDB_DEFAULTS: Omit<DuckdbOptions, "path"> = {
  memoryLimitBytes: 224 * MIB,
  threads: 2,
  primaryKey: false,
};
