import { isEqual, type TableVerdict } from "./compare.ts";
import type { Destination } from "./destination.ts";
import { bold, count, dim, green, heading, printTable, red, say, seconds } from "./terminal.ts";

/** What was measured on the way: rows or changes, and the milliseconds they took. */
export interface Speed {
  readonly amount: number;
  readonly ms: number;
}

export interface Speeds {
  readonly snapshot: Speed;
  readonly streamed: Speed;
  readonly backlog: Speed;
}

/** Prints the comparison; true where every table is equal. */
export function tellVerdict(verdicts: readonly TableVerdict[], label: string, tookMs: number): boolean {
  const same = verdicts.every(isEqual);
  const head = ["table", "PostgreSQL", label, "checksum", "checksum", ""];
  const rows = verdicts.map((verdict) => [
    verdict.table,
    count(verdict.sourceRows),
    count(verdict.warehouseRows),
    verdict.sourceChecksum,
    verdict.warehouseChecksum,
    isEqual(verdict) ? "equal" : "DIFFERENT",
  ]);
  printTable([head, ...rows], (text, row) => (isEqual(verdicts[row - 1]!) ? text : red(text)));
  for (const { table, differences } of verdicts)
    for (const difference of differences) say(red(`  ${table} ${difference}`));
  say();
  const verdict = same
    ? `${green(bold("EQUAL"))}: nothing lost, nothing twice, nothing different.`
    : red(bold("DIFFERENT"));
  say(`  ${verdict} ${dim(`Compared in ${seconds(tookMs)}.`)}`);
  return same;
}

export function tellSpeeds({ snapshot, streamed, backlog }: Speeds, noun: string, size: string): void {
  say();
  say(`  snapshot   ${rate(snapshot)} rows/s, beside the writers, two starts and the kill included`);
  say(`  changes    ${rate(streamed)} a second were made and followed`);
  say(`  backlog    ${rate(backlog)} changes/s, the start included`);
  say(`  ${noun.padEnd(9)}  ${size}`);
}

function rate({ amount, ms }: Speed): string {
  return count(Math.round(amount / (ms / 1000)));
}

export function tellNext({ noun, question, example }: Destination): void {
  heading("Next");
  say(`  Ask the ${noun}:`);
  say(`    node dist/demo/query.js ${question}`);
  say(`  Try a database of your own: set the source in config/${example}, then`);
  say(`    npx millrace plan config/${example}    what it would do; writes nothing`);
  say(`    npx millrace run config/${example}`);
}
