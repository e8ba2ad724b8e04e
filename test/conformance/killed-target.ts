import type { FailpointHook } from "../../src/core/ambient.ts";
import type { Sink } from "../../src/core/sink.ts";
import { DUCKDB_DEFAULTS } from "../../src/sinks/duckdb/config.ts";
import { createDuckdbSink } from "../../src/sinks/duckdb/sink.ts";
import { createParquetSink } from "../../src/sinks/parquet/sink.ts";
import type { StoreLocation } from "../../src/stores/open-store.ts";
import { testAmbient } from "../support/test-ambient.ts";
import { encoderUrl, parquetOptions, SMALL_TUNING } from "../support/lake.ts";

/** The target of a sink in a process of its own. */
export type KilledTarget =
  | { readonly kind: "duckdb"; readonly path: string }
  | { readonly kind: "parquet"; readonly location: StoreLocation };

export function sinkOf(target: KilledTarget, failpoint: FailpointHook): Sink {
  const ambient = testAmbient({ failpoint });
  if (target.kind === "duckdb") return createDuckdbSink({ path: target.path, ...DUCKDB_DEFAULTS }, ambient);
  const parts = { ambient, workerUrl: encoderUrl, tuning: SMALL_TUNING };
  return createParquetSink(parquetOptions(target.location), parts);
}
