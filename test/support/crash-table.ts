import { FAILPOINTS } from "../../src/core/ambient.ts";
import { OTHER_PLACES, type CrashPair, type CrashPlace, type CrashReport } from "./crash.ts";
import { sumFaults } from "./crash-faults.ts";

export function pairName({ source, store, sink }: CrashPair): string {
  return `${source}, ${store}, ${sink}`;
}

/** Two reports of one pair, or of several. */
export function sumReports(a: CrashReport, b: CrashReport): CrashReport {
  const kills = new Map(a.kills);
  for (const [place, count] of b.kills) kills.set(place, (kills.get(place) ?? 0) + count);
  return {
    kills,
    recoveries: a.recoveries + b.recoveries,
    slowestRecoveryMs: Math.max(a.slowestRecoveryMs, b.slowestRecoveryMs),
    transactions: a.transactions + b.transactions,
    faults: sumFaults(a.faults, b.faults),
  };
}

export function killCount({ kills }: CrashReport): number {
  return [...kills.values()].reduce((sum, count) => sum + count, 0);
}

/** The reports as two tables in Markdown: by pair, and by where the runs were killed. */
export function crashTables(reports: ReadonlyMap<CrashPair, CrashReport>): string {
  const all = [...reports.values()].reduce(sumReports);
  const row = (name: string, report: CrashReport): readonly string[] => [
    name,
    String(killCount(report)),
    String(report.recoveries),
    `${(report.slowestRecoveryMs / 1000).toFixed(1)} s`,
    String(report.transactions),
    String(report.faults.lost),
    String(report.faults.duplicated),
    String(report.faults.reordered),
  ];
  const pairs = [...reports].map(([pair, report]) => row(pairName(pair), report));
  const head = [
    "source, store, sink",
    "kills",
    "recoveries",
    "slowest",
    "transactions",
    "lost",
    "duplicated",
    "reordered",
  ];
  const places: readonly CrashPlace[] = [...FAILPOINTS, ...OTHER_PLACES];
  const kills = places.map((place) => [place, String(all.kills.get(place) ?? 0)]);
  return `${markdown(head, [...pairs, row("**all**", all)])}\n${markdown(["killed at", "kills"], kills)}`;
}

function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |\n`;
  return line(head) + line(head.map((_, i) => (i === 0 ? "---" : "---:"))) + rows.map(line).join("");
}
