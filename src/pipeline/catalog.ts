import { discardSink } from "./discard-keys.ts";
import { duckdbSink } from "./duckdb-keys.ts";
import { postgresSource } from "./postgres-keys.ts";
import type { Section } from "./section.ts";
import type { SinkSpec, SourceSpec } from "./spec.ts";

/** The sections a `source` or `sink` can be, by their `type`. */
export const SOURCE_SECTIONS: Readonly<Record<SourceSpec["type"], Section<SourceSpec>>> = { postgres: postgresSource };
export const SINK_SECTIONS: Readonly<Record<SinkSpec["type"], Section<SinkSpec>>> = {
  duckdb: duckdbSink,
  discard: discardSink,
};
