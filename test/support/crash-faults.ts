import type { TestPipeline } from "./test-pipeline.ts";

/** What is wrong with a sink; of a log at least so much, since no more than some of each kind are looked up. */
export interface CrashFaults {
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  /** Each, for people. */
  readonly told: readonly string[];
}

export const NO_FAULTS: CrashFaults = { lost: 0, duplicated: 0, reordered: 0, told: [] };

type Kind = Exclude<keyof CrashFaults, "told">;

/**
 * Compares what a pipeline has delivered with its source, by plain SELECTs on both sides; of a sink that keeps every change,
 * also each key's changes, in order, over all files.
 */
export async function crashFaults(
  pipeline: TestPipeline,
  sink: "duckdb" | "parquet",
  workload: readonly string[],
  tally: readonly string[],
): Promise<CrashFaults> {
  let faults = NO_FAULTS;
  for (const line of await pipeline.differences([...workload, ...tally])) faults = withDifference(faults, line);
  if (sink !== "parquet") return faults;
  await using log = await pipeline.openLog();
  for (const line of [...(await log.workloadFaults()), ...(await log.tallyFaults())])
    faults = counted(faults, kindOf(line), 1, line);
  return faults;
}

/** Of a table's differences the first line has the numbers: a row that is not the same is missing, and another is there. */
function withDifference(faults: CrashFaults, line: string): CrashFaults {
  const [, missing, unexpected] = /; (\d+) missing, (\d+) unexpected$/.exec(line) ?? [];
  if (missing === undefined) return { ...faults, told: [...faults.told, line] };
  const lost = counted(faults, "lost", Number(missing), line);
  const more = Math.max(0, Number(unexpected) - Number(missing));
  return { ...lost, duplicated: lost.duplicated + more };
}

/** Of a line of `LakeLog`. */
function kindOf(line: string): Kind {
  const [, step] = / goes by (-?\d+) to /.exec(line) ?? [];
  if (step !== undefined) return Number(step) > 1 ? "lost" : Number(step) < 0 ? "reordered" : "duplicated";
  const [, has, touched] = / has (\d+) rows and not (\d+)/.exec(line) ?? [];
  if (has !== undefined) return Number(has) < Number(touched) ? "lost" : "duplicated";
  if (line.endsWith(" is there twice") || / [cur] then c at /.test(line)) return "duplicated";
  return "reordered";
}

function counted(faults: CrashFaults, kind: Kind, count: number, line: string): CrashFaults {
  return { ...faults, [kind]: faults[kind] + count, told: [...faults.told, line] };
}

export function sumFaults(a: CrashFaults, b: CrashFaults): CrashFaults {
  return {
    lost: a.lost + b.lost,
    duplicated: a.duplicated + b.duplicated,
    reordered: a.reordered + b.reordered,
    told: [...a.told, ...b.told],
  };
}
