import type { SinkTraits } from "../../core/sink.ts";

export function discardTraits(): SinkTraits {
  return {
    kind: "table",
    nonFinite: { decimalNaN: true, dateInfinity: true, timestampInfinity: true },
    beforeImages: false,
    remembers: false,
    guarantee: "none: rows are counted and thrown away, and no epoch is remembered over a restart",
    problem: () => null,
    targetName: (schema) => schema.id,
  };
}
