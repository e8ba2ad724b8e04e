import type { SinkTraits } from "../../core/sink.ts";
import type { ParquetOptions } from "./config.ts";
import { tableFolder } from "./layout.ts";
import { tableProblem } from "./table-problem.ts";

/** Apart from the sink, for whoever only asks about it: what encodes and what speaks to a bucket is large. */
export function parquetTraits(
  { layout, beforeImages, partitions }: Pick<ParquetOptions, "layout" | "beforeImages" | "partitions">,
  place: string,
): SinkTraits {
  return {
    kind: "log",
    nonFinite: { decimalNaN: false, dateInfinity: false, timestampInfinity: false },
    remembers: true,
    beforeImages,
    guarantee: `exactly once: each epoch's files become visible after the record of them is in ${place}`,
    problem: (schema) => tableProblem({ partitions }, schema),
    targetName: (schema) => tableFolder(layout, schema),
  };
}
