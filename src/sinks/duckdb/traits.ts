import type { SinkTraits } from "../../core/sink.ts";
import type { DuckdbOptions } from "./config.ts";
import { columnProblem, targetName } from "./target-name.ts";

/** Apart from the sink, for whoever only asks about it: DuckDB itself is large, and takes long to load. */
export function duckdbTraits(options: DuckdbOptions): SinkTraits {
  return {
    kind: "table",
    nonFinite: { decimalNaN: false, dateInfinity: true, timestampInfinity: true },
    beforeImages: false,
    remembers: true,
    guarantee: `exactly once: each epoch's rows and its record are one transaction of ${options.path}`,
    problem: columnProblem,
    targetName(schema) {
      const { schema: namespace, table } = targetName(schema);
      return `${namespace}.${table}`;
    },
  };
}
