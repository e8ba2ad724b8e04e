import type { ChangeBatch } from "../../core/change-batch.ts";

/** What a discard sink has thrown away. */
export interface DiscardCounts {
  readonly snapshotRows: number;
  readonly logRows: number;
  readonly bytes: number;
  readonly truncates: number;
  readonly epochs: number;
}

export const noCounts: DiscardCounts = { snapshotRows: 0, logRows: 0, bytes: 0, truncates: 0, epochs: 0 };

export function counted(counts: DiscardCounts, batch: ChangeBatch): DiscardCounts {
  const rows = batch.origin === "snapshot" ? "snapshotRows" : "logRows";
  return { ...counts, [rows]: counts[rows] + batch.length, bytes: counts.bytes + batch.bytes };
}
