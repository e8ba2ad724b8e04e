import type { MillraceError } from "./errors.ts";
import type { TableState } from "./record.ts";
import type { TableId } from "./table-schema.ts";

/** What the engine reports as it goes; `reduce` in pipeline-state.ts folds it into the one state that CLI and API render. */
export type PipelineEvent =
  | { readonly kind: "starting"; readonly step: string }
  /** Something was created on the source, or decided at recovery: a sentence for people. */
  | { readonly kind: "notice"; readonly text: string }
  /** Chunks wait for this; null: no more. */
  | { readonly kind: "waiting"; readonly on: string | null }
  | { readonly kind: "running" }
  | { readonly kind: "table"; readonly table: TableId; readonly incarnation: number; readonly state: TableState }
  /** The table's size as the planner sees it, once, before its chunks. */
  | {
      readonly kind: "planned";
      readonly table: TableId;
      readonly rowsEstimate: number;
      readonly chunksEstimate: number;
    }
  | { readonly kind: "chunk-started"; readonly table: TableId }
  /** A chunk's rows are in the line. `abandoned`: they were thrown away, and the range is planned again. */
  | { readonly kind: "chunk-ended"; readonly table: TableId; readonly rows: number; readonly abandoned: boolean }
  /** Rows of a table passed to the sink, by origin. */
  | { readonly kind: "delivered"; readonly table: TableId; readonly origin: "snapshot" | "log"; readonly rows: number }
  | {
      readonly kind: "committed";
      readonly epoch: number;
      readonly position: string;
      /** Commit time of the last transaction in it, by the source's clock; null: none yet. */
      readonly commitTimeMs: number | null;
      readonly rows: number;
      readonly tookMs: number;
    }
  /** The reader's own place, ahead of what is committed. */
  | { readonly kind: "log"; readonly position: string }
  | { readonly kind: "stopping" }
  | { readonly kind: "stopped" }
  | { readonly kind: "failed"; readonly error: MillraceError };
