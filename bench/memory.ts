import type { EngineReport } from "./engine-report.ts";
import { type BenchResult, type BenchRun, turns } from "./measurement.ts";

const LIMIT_MB = 512;
const UNIT = "MB";

/** Something that takes memory, measured in a process of its own. */
export type MemoryPart = () => Promise<EngineReport>;

/** The parts one after the other, beside the bound on all of them. */
export async function measureMemory(
  name: string,
  runs: number,
  say: (line: string) => void,
  parts: Readonly<Record<string, MemoryPart>>,
): Promise<BenchResult> {
  return await turns(name, UNIT, runs, say, () => measure(parts, say));
}

async function measure(parts: Readonly<Record<string, MemoryPart>>, say: (line: string) => void): Promise<BenchRun> {
  const details: Record<string, string> = {};
  let cpuSeconds = 0;
  let rssBytesMax = 0;
  for (const [name, part] of Object.entries(parts)) {
    const report = await part();
    details[name] = `${(report.rssBytesMax / 1e6).toFixed(0)} MB in ${report.seconds.toFixed(1)} s`;
    say(`${name}: ${details[name]}`);
    cpuSeconds += report.cpuSeconds;
    rssBytesMax = Math.max(rssBytesMax, report.rssBytesMax);
  }
  return { value: rssBytesMax / 1e6, limit: LIMIT_MB, cpuSeconds, rssBytesMax, details };
}
