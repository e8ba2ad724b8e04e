import type { Ambient } from "../core/ambient.ts";
import type { ChunkReader } from "../core/chunk.ts";
import type { Sink, SinkTraits } from "../core/sink.ts";
import type { Source, ValueRules } from "../core/source.ts";
import { createDiscardSink, discardTraits } from "../sinks/discard/sink.ts";
import { createDuckdbSink, duckdbTraits } from "../sinks/duckdb/sink.ts";
import type { PostgresOptions } from "../sources/postgres/config.ts";
import { createPostgresChunkReader, createPostgresSource } from "../sources/postgres/source.ts";
import { discardSink } from "./discard-keys.ts";
import { duckdbSink } from "./duckdb-keys.ts";
import { postgresOptions, postgresSource } from "./postgres-keys.ts";
import type { Section } from "./section.ts";
import type { DiscardSpec, DuckdbSpec, PipelineSpec, PostgresSpec, SinkSpec, SourceSpec } from "./spec.ts";

/** A kind of source: its section of the file, and what is made of it. `Options` is plain data, for worker threads too. */
interface SourceConnector<Spec, Options> {
  readonly section: Section<Spec>;
  options(this: void, spec: Spec, pipeline: string): Options;
  open(this: void, options: Options, rules: ValueRules, ambient: Ambient): Source;
  openChunkReader(this: void, options: Options, rules: ValueRules): ChunkReader;
}

/** A kind of sink. */
interface SinkConnector<Spec> {
  readonly section: Section<Spec>;
  traits(this: void, spec: Spec): SinkTraits;
  open(this: void, spec: Spec, ambient: Ambient): Sink;
}

const postgres: SourceConnector<PostgresSpec, PostgresOptions> = {
  section: postgresSource,
  options: postgresOptions,
  open: createPostgresSource,
  openChunkReader: createPostgresChunkReader,
};

const duckdb: SinkConnector<DuckdbSpec> = { section: duckdbSink, traits: duckdbTraits, open: createDuckdbSink };

const discard: SinkConnector<DiscardSpec> = {
  section: discardSink,
  traits: discardTraits,
  open: (_spec, ambient) => createDiscardSink(ambient),
};

/**
 * Every connector there is, by the `type` of its section. A new one is its folder under sources/ or sinks/, what stands
 * above, and a word here.
 */
const SOURCES = { postgres };
const SINKS = { duckdb, discard };

export const SOURCE_SECTIONS: Readonly<Record<SourceSpec["type"], Section<SourceSpec>>> = {
  postgres: postgres.section,
};
export const SINK_SECTIONS: Readonly<Record<SinkSpec["type"], Section<SinkSpec>>> = {
  duckdb: duckdb.section,
  discard: discard.section,
};

/** How values are treated between this source and this sink. */
export function valueRules(spec: PipelineSpec): ValueRules {
  return { unrepresentable: spec.source.unrepresentable, nonFinite: sinkTraits(spec).nonFinite };
}

export function openSource(spec: PipelineSpec, ambient: Ambient): Source {
  const connector = SOURCES[spec.source.type];
  return connector.open(connector.options(spec.source, spec.name), valueRules(spec), ambient);
}

/** What a worker thread gets to open its chunk reader with: plain data, the password in it. */
export interface ChunkWorkerData {
  readonly type: SourceSpec["type"];
  readonly options: PostgresOptions;
  readonly rules: ValueRules;
}

export function chunkWorkerData(spec: PipelineSpec): ChunkWorkerData {
  const { type } = spec.source;
  return { type, options: SOURCES[type].options(spec.source, spec.name), rules: valueRules(spec) };
}

export function openChunkReader(data: ChunkWorkerData): ChunkReader {
  return SOURCES[data.type].openChunkReader(data.options, data.rules);
}

export function sinkTraits(spec: PipelineSpec): SinkTraits {
  const { sink } = spec;
  return sink.type === "duckdb" ? SINKS.duckdb.traits(sink) : SINKS.discard.traits(sink);
}

export function openSink(spec: PipelineSpec, ambient: Ambient): Sink {
  const { sink } = spec;
  return sink.type === "duckdb" ? SINKS.duckdb.open(sink, ambient) : SINKS.discard.open(sink, ambient);
}
