import type { PipelineEvent } from "../core/pipeline-event.ts";
import type { CommittedRecord } from "../core/record.ts";
import type { Source } from "../core/source.ts";
import type { TableId } from "../core/table-schema.ts";
import type { CheckpointStore } from "../core/checkpoint-store.ts";
import { MillraceError } from "../core/errors.ts";
import type { Sink } from "../core/sink.ts";
import { Epochs } from "./epochs.ts";
import { decodeParts } from "./record-parts.ts";
import { takeState, type TakeRequest } from "./take-state.ts";

/** What the operator decides while no run has the pipeline. */
type OperatorRequest = Omit<TakeRequest, "operator" | "tokenBefore">;

/** The sink is right, whatever the store says or has lost: the store then says the same. */
export async function adopt(request: OperatorRequest, store: CheckpointStore, sink: Sink): Promise<CommittedRecord> {
  const opening = { ...request.opening, passOverDamage: request.sinkRemembers };
  return await takeState({ ...request, opening, operator: "sink", tokenBefore: null }, store, sink);
}

/**
 * Marks tables, all of the record's without a list, so that the next run begins each anew. It is an epoch as any other, in
 * the store and in the sink, whose rows stay. Returns the tables.
 */
export async function resetTables(
  request: OperatorRequest,
  { store, sink, source }: { readonly store: CheckpointStore; readonly sink: Sink; readonly source: Source },
  tables: readonly TableId[] | "all",
): Promise<readonly TableId[]> {
  const { pipeline, ambient } = request;
  const from = await takeState({ ...request, operator: "none", tokenBefore: null }, store, sink);
  const content = await decodeParts(from.parts);
  if (content.position === null)
    throw new MillraceError("USAGE", "the pipeline has committed nothing yet, so there is no table to reset");
  const known = [...content.tables.keys()].sort();
  const chosen = tables === "all" ? known : tables;
  const unknown = chosen.find((table) => !content.tables.has(table));
  if (unknown !== undefined)
    throw new MillraceError("USAGE", `the pipeline has no table ${unknown}`, {
      hint: `Its tables are ${known.join(", ")}.`,
    });
  const limits = { intervalMs: 0, changesMax: 1, bytesMax: 1 };
  const events = (_event: PipelineEvent): void => undefined;
  const epochs = new Epochs({ pipeline, from, content, limits, sink, store, ambient, events });
  const position = source.parsePosition(content.position.position);
  epochs.progress(position, content.position.unsettled, null);
  for (const table of chosen) {
    const message = "it is begun anew by the next run";
    const state = { kind: "stopped", code: "TABLE_RESET", message, at: position.toString() } as const;
    epochs.setTable({ ...content.tables.get(table)!, state });
  }
  await epochs.commit("stop");
  return chosen;
}
