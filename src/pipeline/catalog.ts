import { dirname } from "node:path";
import { redisPlace } from "../checkpoint/redis/options.ts";
import { createFileStore } from "../checkpoint/file/store.ts";
import type { Ambient } from "../core/ambient.ts";
import type { CheckpointStore } from "../core/checkpoint-store.ts";
import { assertNever } from "../core/errors.ts";
import type { Sink, SinkTraits } from "../core/sink.ts";
import type { Source, ValueRules } from "../core/source.ts";
import { discardTraits } from "../sinks/discard/traits.ts";
import { duckdbTraits } from "../sinks/duckdb/traits.ts";
import { parquetTraits } from "../sinks/parquet/traits.ts";
import type { ChunkWorkerData, ConnectorData } from "./chunk-readers.ts";
import { discardSink } from "./discard-keys.ts";
import { duckdbSink } from "./duckdb-keys.ts";
import { parquetOptions, parquetPlace, parquetSink } from "./parquet-keys.ts";
import { mysqlOptions, mysqlSource } from "./mysql-keys.ts";
import { postgresOptions, postgresSource } from "./postgres-keys.ts";
import { redisOptions } from "./redis-url.ts";
import type { Section } from "./section.ts";
import type { DiscardSpec, DuckdbSpec, ParquetSpec, PipelineSpec, SinkSpec, SourceSpec } from "./spec.ts";

/** A kind of sink. Its code is loaded when it is opened: most commands never do, and it may be large. */
interface SinkConnector<Spec> {
  readonly section: Section<Spec>;
  traits(this: void, spec: Spec): SinkTraits;
  open(this: void, spec: Spec, ambient: Ambient): Promise<Sink>;
}

const duckdb: SinkConnector<DuckdbSpec> = {
  section: duckdbSink,
  traits: duckdbTraits,
  open: async (spec, ambient) => (await import("../sinks/duckdb/sink.ts")).createDuckdbSink(spec, ambient),
};

const parquet: SinkConnector<ParquetSpec> = {
  section: parquetSink,
  traits: (spec) => parquetTraits(spec, parquetPlace(spec)),
  open: async (spec, ambient) => {
    const { createParquetSink } = await import("../sinks/parquet/sink.ts");
    const workerUrl = new URL("./parquet-worker.js", import.meta.url);
    return createParquetSink(parquetOptions(spec), { ambient, workerUrl });
  },
};

const discard: SinkConnector<DiscardSpec> = {
  section: discardSink,
  traits: discardTraits,
  open: async (_spec, ambient) => (await import("../sinks/discard/sink.ts")).createDiscardSink(ambient),
};

/**
 * Every connector there is, by the `type` of its section. A new one is its folder under sources/ or sinks/, its section,
 * and a word in what stands below (a source also has one in chunk-readers.ts).
 */
const SINKS = { duckdb, parquet, discard };

export const SOURCE_SECTIONS: Readonly<Record<SourceSpec["type"], Section<SourceSpec>>> = {
  postgres: postgresSource,
  mysql: mysqlSource,
};
export const SINK_SECTIONS: Readonly<Record<SinkSpec["type"], Section<SinkSpec>>> = {
  duckdb: duckdb.section,
  parquet: parquet.section,
  discard: discard.section,
};

/** How values are treated between this source and this sink. */
export function valueRules(spec: PipelineSpec): ValueRules {
  const { nonFinite, beforeImages } = sinkTraits(spec);
  return { unrepresentable: spec.source.unrepresentable, nonFinite, beforeImages };
}

/** As for a sink, its code is loaded here: a process has one source, and is to start at once. */
export async function openSource(spec: PipelineSpec, ambient: Ambient): Promise<Source> {
  const rules = valueRules(spec);
  const data = connectorData(spec);
  return data.type === "postgres"
    ? (await import("../sources/postgres/source.ts")).createPostgresSource(data.options, rules, ambient)
    : (await import("../sources/mysql/source.ts")).createMysqlSource(data.options, rules, ambient);
}

/** The connector's options: plain data, for worker threads too. */
function connectorData({ source, name }: PipelineSpec): ConnectorData {
  return source.type === "postgres"
    ? { type: "postgres", options: postgresOptions(source, name) }
    : { type: "mysql", options: mysqlOptions(source, name) };
}

export function chunkWorkerData(spec: PipelineSpec): ChunkWorkerData {
  return { ...connectorData(spec), rules: valueRules(spec) };
}

/** As for a source, the code of the one that is not for everybody is loaded here. */
export async function openStore(spec: PipelineSpec, ambient: Ambient): Promise<CheckpointStore> {
  const { checkpoint, folder, name } = spec;
  if (checkpoint.kind === "files") return createFileStore(dirname(folder), name, ambient);
  const { createRedisStore } = await import("../checkpoint/redis/store.ts");
  return createRedisStore(redisOptions(checkpoint.redis), name, ambient);
}

/** Where the checkpoint is, for people. */
export function storePlace({ checkpoint, folder }: PipelineSpec): string {
  return checkpoint.kind === "files" ? folder : redisPlace(redisOptions(checkpoint.redis));
}

/** Where the source is, for people. */
export function sourcePlace({ source }: PipelineSpec): string {
  const server = `${source.hostname}:${source.port}`;
  return source.type === "postgres" ? `${server}, database ${source.database}` : server;
}

/** Where the sink is, for people; null: nowhere. */
export function sinkPlace({ sink }: PipelineSpec): string | null {
  switch (sink.type) {
    case "duckdb":
      return sink.path;
    case "parquet":
      return parquetPlace(sink);
    case "discard":
      return null;
    default:
      return assertNever(sink);
  }
}

/** What `prepare` makes on the source and `drop` takes away again, for people; null: nothing. */
export function madeOnSource({ source }: PipelineSpec): string | null {
  return source.type === "postgres"
    ? `the slot ${source.slotName} and the publication ${source.publicationName}`
    : null;
}

export function sinkTraits(spec: PipelineSpec): SinkTraits {
  const { sink } = spec;
  switch (sink.type) {
    case "duckdb":
      return SINKS.duckdb.traits(sink);
    case "parquet":
      return SINKS.parquet.traits(sink);
    case "discard":
      return SINKS.discard.traits(sink);
    default:
      return assertNever(sink);
  }
}

export async function openSink(spec: PipelineSpec, ambient: Ambient): Promise<Sink> {
  const { sink } = spec;
  switch (sink.type) {
    case "duckdb":
      return await SINKS.duckdb.open(sink, ambient);
    case "parquet":
      return await SINKS.parquet.open(sink, ambient);
    case "discard":
      return await SINKS.discard.open(sink, ambient);
    default:
      return assertNever(sink);
  }
}
