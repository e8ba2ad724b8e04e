import type { TablePart } from "../src/core/record.ts";
import { storedRecord } from "../src/pipeline/compose.ts";
import type { PipelineSpec } from "../src/pipeline/spec.ts";
import { testAmbient } from "../test/support/test-ambient.ts";
import { DEADLINE_MS } from "../test/support/wait-for.ts";
import { SHOP } from "./shop.ts";

export interface SnapshotState {
  /** Of the snapshot, in committed epochs. */
  readonly rows: number;
  readonly isDone: boolean;
}

/** How far the pipeline's snapshot is, by its own checkpoint; also while it runs. */
export async function snapshotState(spec: PipelineSpec): Promise<SnapshotState> {
  const record = await storedRecord(spec, testAmbient(), AbortSignal.timeout(DEADLINE_MS));
  const parts = SHOP.map(({ name }) => record?.parts.get(`table/public.${name}`) as unknown as TablePart | undefined);
  const states = parts.map((part) => part?.state ?? { kind: "planned" as const });
  const rows = states.map((state) => {
    switch (state.kind) {
      case "planned":
        return 0;
      case "snapshotting":
        return state.progress?.rows ?? 0;
      case "streaming":
        return state.rows;
      case "stopped":
        throw new Error(`a table has stopped with ${state.code}: ${state.message}`);
    }
  });
  return { rows: rows.reduce((sum, n) => sum + n, 0), isDone: states.every(({ kind }) => kind === "streaming") };
}
