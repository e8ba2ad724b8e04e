import type { Ambient } from "../core/ambient.ts";
import type { Json } from "../core/json.ts";
import type { PipelineEvent } from "../core/pipeline-event.ts";
import type { Position } from "../core/position.ts";
import { RECORD_VERSION, type SourcePart } from "../core/record.ts";
import type { Sink } from "../core/sink.ts";
import type { Epochs } from "./epochs.ts";
import { SOURCE_KEY, type RecordContent } from "./record-parts.ts";
import type { TablePlan } from "./table-plan.ts";

interface BeginRequest {
  readonly plan: TablePlan;
  readonly epochs: Epochs;
  readonly sink: Sink;
  readonly ambient: Ambient;
  readonly events: (event: PipelineEvent) => void;
  readonly content: RecordContent;
  readonly identity: Json;
  readonly snapshotOnly: boolean;
  readonly position: Position;
}

/** Carries the table plan out, in an epoch of its own: whose source it is, tables begun, removed and stopped. */
export async function beginTables(request: BeginRequest): Promise<void> {
  const { plan, epochs, sink, ambient, events, content, identity, snapshotOnly, position } = request;
  const known = content.source !== null;
  const source: SourcePart = { version: RECORD_VERSION, identity, ...(snapshotOnly ? { snapshotOnly } : {}) };
  if (!known) epochs.setPart(SOURCE_KEY, source);
  for (const { part, mode } of plan.begin) {
    await sink.beginTable(part.schema, part.incarnation, mode);
    epochs.setTable(part);
  }
  // Those that the log alone fills.
  for (const { part } of plan.begin) if (part.state.kind === "streaming") await sink.endSnapshot(part.schema.id);
  for (const table of plan.remove) {
    epochs.removeTable(table);
    ambient.logger.info("table removed", { table });
    events({
      kind: "notice",
      text: `${table} is not matched any more: it is no longer followed, its rows stay in the sink`,
    });
  }
  for (const [table, error] of plan.stop) {
    const part = epochs.tables.get(table);
    if (part === undefined) continue;
    const at = position.toString();
    epochs.setTable({ ...part, state: { kind: "stopped", code: error.code, message: error.message, at } });
    ambient.logger.error("table stopped", { table, code: error.code, reason: error.message, hint: error.hint, at });
  }
  if (!known || plan.begin.length + plan.remove.length + plan.stop.size > 0) await epochs.commit("schema");
}
