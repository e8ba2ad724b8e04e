import type { UnrepresentablePolicy } from "../core/logical-type.ts";
import type { Startup } from "../core/startup.ts";
import type { TablePattern } from "../core/table-pattern.ts";
import type { ParquetOptions } from "../sinks/parquet/config.ts";
import type { S3Options } from "../stores/s3/options.ts";
import type { RedisSpec } from "./redis-url.ts";
import type { Secret } from "./secret.ts";

/** TLS: `verify` with the server's certificate checked, `require` with it unchecked. */
type SslMode = "disable" | "require" | "verify";

/** What every kind of source has. */
export interface SourceSettings {
  readonly startup: Startup;
  readonly ssl: SslMode;
  readonly connectTimeoutMs: number;
  readonly connectRetriesMax: number;
  readonly lockTimeoutMs: number;
  readonly completeTimeoutMs: number;
  /** About how many rows a chunk has. */
  readonly chunkRows: number;
  readonly unrepresentable: UnrepresentablePolicy;
}

/** `source` of type `postgres`. */
export interface PostgresSpec extends SourceSettings {
  readonly type: "postgres";
  readonly hostname: string;
  readonly port: number;
  readonly username: string;
  readonly password: Secret;
  /** The database part of `tables`: a slot belongs to one database. */
  readonly database: string;
  readonly tables: readonly TablePattern[];
  readonly tablesExclude: readonly TablePattern[];
  readonly slotName: string;
  readonly publicationName: string;
}

/** `source` of type `mysql`: MySQL or MariaDB. */
export interface MysqlSpec extends SourceSettings {
  readonly type: "mysql";
  readonly hostname: string;
  readonly port: number;
  readonly username: string;
  readonly password: Secret;
  readonly tables: readonly TablePattern[];
  readonly tablesExclude: readonly TablePattern[];
  readonly serverId: number;
  readonly onlineSchemaChanges: boolean;
  readonly tinyint1AsBoolean: boolean;
  readonly heartbeatIntervalMs: number;
}

/** `sink` of type `duckdb`. */
export interface DuckdbSpec {
  readonly type: "duckdb";
  /** Absolute. */
  readonly path: string;
  readonly memoryLimitBytes: number;
  readonly threads: number;
  readonly primaryKey: boolean;
}

/** A folder, or a place in a bucket with how it is reached. */
export type PlaceSpec =
  | { readonly kind: "folder"; /** Absolute. */ readonly path: string }
  | (Omit<S3Options, "credentials"> & {
      readonly kind: "s3";
      readonly accessKeyId: string | null;
      readonly secretAccessKey: Secret | null;
    });

/** `sink` of type `parquet`. */
export interface ParquetSpec extends Omit<ParquetOptions, "location"> {
  readonly type: "parquet";
  readonly place: PlaceSpec;
}

/** `sink` of type `discard`: takes everything and keeps nothing, for measuring a source. */
export interface DiscardSpec {
  readonly type: "discard";
}

export type SourceSpec = PostgresSpec | MysqlSpec;
export type SinkSpec = DuckdbSpec | ParquetSpec | DiscardSpec;

/** Where the checkpoint is kept. In files: in the pipeline's folder. */
export type CheckpointSpec = { readonly kind: "files" } | { readonly kind: "redis"; readonly redis: RedisSpec };

/** Who reads the chunks of a snapshot: threads of the run, or other processes, which take them from a queue and stage them. */
export type ExecutorSpec =
  | { readonly kind: "local" }
  | { readonly kind: "bullmq"; readonly redis: RedisSpec; readonly staging: PlaceSpec };

/** The section `pipeline`. */
export interface PipelineSettings {
  readonly name: string;
  /** Chunks read at a time. */
  readonly parallelism: number;
  readonly executor: ExecutorSpec;
  readonly checkpointIntervalMs: number;
  /**
   * An epoch ends at the first transaction boundary behind this many changes, however short the interval has been. Null:
   * it is for the sink to say.
   */
  readonly checkpointRowsMax: number | null;
  readonly checkpoint: CheckpointSpec;
  /** The pipeline's own on this machine, for its status and what it spills; and for its checkpoint in files. Absolute. */
  readonly folder: string;
}

/** A validated pipeline file: nothing optional, units resolved, paths absolute, variables replaced. */
export interface PipelineSpec extends PipelineSettings {
  /** The file, as it was named on the command line: for messages. */
  readonly file: string;
  readonly source: SourceSpec;
  readonly sink: SinkSpec;
}
