import { BATCH_TARGETS } from "./batch-targets.ts";
import { BINLOG_TARGETS } from "./binlog-targets.ts";
import { PARQUET_TARGETS } from "./parquet-targets.ts";
import { PART_TARGETS } from "./part-targets.ts";
import { POSTGRES_TARGETS } from "./postgres-targets.ts";
import type { FuzzTarget } from "./target.ts";

/** Every decoder of bytes or text that comes from a server, or from code that is not ours. */
export const FUZZ_TARGETS: readonly FuzzTarget[] = [
  ...BINLOG_TARGETS,
  ...PART_TARGETS,
  ...POSTGRES_TARGETS,
  ...PARQUET_TARGETS,
  ...BATCH_TARGETS,
];

/** How many of `inputs` each target gets. */
export function inputsOf(targets: readonly FuzzTarget[], inputs: number): readonly number[] {
  const whole = targets.reduce((sum, { weight }) => sum + weight, 0);
  return targets.map(({ weight }) => Math.ceil((inputs * weight) / whole));
}
