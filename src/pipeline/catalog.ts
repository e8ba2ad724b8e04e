import type { Ambient } from "../core/ambient.ts";
import type { Sink, SinkTraits } from "../core/sink.ts";
import type { Source, ValueRules } from "../core/source.ts";
import { discardTraits } from "../sinks/discard/traits.ts";
import { duckdbTraits } from "../sinks/duckdb/traits.ts";
import type { PostgresOptions } from "../sources/postgres/config.ts";
import { createPostgresSource } from "../sources/postgres/source.ts";
import type { ChunkWorkerData } from "./chunk-readers.ts";
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
}

/** A kind of sink. Its code is loaded when it is opened: most commands never do, and it may be large. */
interface SinkConnector<Spec> {
  readonly section: Section<Spec>;
  traits(this: void, spec: Spec): SinkTraits;
  open(this: void, spec: Spec, ambient: Ambient): Promise<Sink>;
}

const postgres: SourceConnector<PostgresSpec, PostgresOptions> = {
  section: postgresSource,
  options: postgresOptions,
  open: createPostgresSource,
};

const duckdb: SinkConnector<DuckdbSpec> = {
  section: duckdbSink,
  traits: duckdbTraits,
  open: async (spec, ambient) => (await import("../sinks/duckdb/sink.ts")).createDuckdbSink(spec, ambient),
};

const discard: SinkConnector<DiscardSpec> = {
  section: discardSink,
  traits: discardTraits,
  open: async (_spec, ambient) => (await import("../sinks/discard/sink.ts")).createDiscardSink(ambient),
};

/**
 * Every connector there is, by the `type` of its section. A new one is its folder under sources/ or sinks/, what stands
 * above, and a word here (a source also has one in chunk-readers.ts).
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

export function chunkWorkerData(spec: PipelineSpec): ChunkWorkerData {
  const { type } = spec.source;
  return { type, options: SOURCES[type].options(spec.source, spec.name), rules: valueRules(spec) };
}

export function sinkTraits(spec: PipelineSpec): SinkTraits {
  const { sink } = spec;
  return sink.type === "duckdb" ? SINKS.duckdb.traits(sink) : SINKS.discard.traits(sink);
}

export async function openSink(spec: PipelineSpec, ambient: Ambient): Promise<Sink> {
  const { sink } = spec;
  return await (sink.type === "duckdb" ? SINKS.duckdb.open(sink, ambient) : SINKS.discard.open(sink, ambient));
}
