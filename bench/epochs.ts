import type { CommittedEpoch } from "./engine-report.ts";

/**
 * What a sink that is a table wrote of changes in which no key comes twice within the first `unfolded`: an epoch of no more
 * folds nothing, so every insert and update is a row. `rowsWritten`: inserts and updates.
 */
export function epochDetails(
  epochs: readonly CommittedEpoch[],
  { unfolded, rowsWritten }: { readonly unfolded: number; readonly rowsWritten: number },
): Readonly<Record<string, number>> {
  const withRows = epochs.filter(({ rows }) => rows > 0);
  const rowsMax = Math.max(...withRows.map(({ rows }) => rows));
  return { epochs: withRows.length, rowsMax, ...(rowsMax <= unfolded ? { rowsWritten } : {}) };
}
