import type { Ambient } from "../core/ambient.ts";
import type { CheckpointStore, StoreOpening } from "../core/checkpoint-store.ts";
import { MillraceError } from "../core/errors.ts";
import { epochBetween, type CommittedRecord, type HistoryPart } from "../core/record.ts";
import type { TableId } from "../core/table-schema.ts";
import { adopt, resetTables } from "../engine/operator.ts";
import { decodeParts, type RecordContent } from "../engine/record-parts.ts";
import { openSink, openSource, openStore, sinkTraits, storePlace } from "./catalog.ts";
import { recordedPosition } from "./compose.ts";
import type { PipelineSpec } from "./spec.ts";
import { encodeState, readStateFile } from "./state-file.ts";

/** A pipeline's state as its checkpoint store has it. */
export interface PipelineState {
  readonly pipeline: string;
  readonly store: string;
  /** Null: nothing was ever stored. */
  readonly record: {
    readonly epoch: number;
    readonly token: number;
    /** The last epoch that the store knows the sink to have; the newest may be in it, too. */
    readonly confirmedEpoch: number;
    readonly position: string | null;
    /** Of its parts, as JSON. */
    readonly bytes: number;
    readonly content: RecordContent;
  } | null;
}

/** Read beside a run. */
export async function readState(spec: PipelineSpec, ambient: Ambient, signal: AbortSignal): Promise<PipelineState> {
  await using store = await openStore(spec, ambient);
  const stored = await store.read(signal);
  const place = { pipeline: spec.name, store: storePlace(spec) };
  if (stored === null) return { ...place, record: null };
  const { newest, confirmed } = stored;
  return {
    ...place,
    record: {
      epoch: newest.epoch,
      token: newest.token,
      confirmedEpoch: confirmed?.epoch ?? 0,
      position: await recordedPosition(spec, newest, ambient),
      bytes: [...newest.parts].reduce((sum, [key, part]) => sum + key.length + JSON.stringify(part).length, 0),
      content: await decodeParts(newest.parts),
    },
  };
}

/** The last epochs, newest first. */
export async function readHistory(
  spec: PipelineSpec,
  ambient: Ambient,
  signal: AbortSignal,
): Promise<readonly HistoryPart[]> {
  const { record } = await readState(spec, ambient, signal);
  return (record?.content.history ?? []).toReversed();
}

/** How the operator's commands take the store: from a process that lives only where that was asked for. */
export type StateOpening = Pick<StoreOpening, "signal" | "takeOver">;

/** The sink's record becomes the store's. Returns it. */
export async function adoptState(
  spec: PipelineSpec,
  ambient: Ambient,
  opening: StateOpening,
): Promise<CommittedRecord> {
  const { remembers } = sinkTraits(spec);
  if (!remembers)
    throw new MillraceError("USAGE", `a sink of type ${spec.sink.type} keeps no record that could be adopted`);
  await using store = await openStore(spec, ambient);
  return await withSink(spec, ambient, async (sink) => {
    return await adopt({ pipeline: spec.name, sinkRemembers: remembers, opening, ambient }, store, sink);
  });
}

/** The tables begin anew with the next run. Returns those that will. */
export async function resetState(
  spec: PipelineSpec,
  tables: readonly TableId[] | "all",
  ambient: Ambient,
  opening: StateOpening,
): Promise<readonly TableId[]> {
  const request = { pipeline: spec.name, sinkRemembers: sinkTraits(spec).remembers, opening, ambient };
  await using source = await openSource(spec, ambient);
  await using store = await openStore(spec, ambient);
  return await withSink(spec, ambient, (sink) => resetTables(request, { store, sink, source }, tables));
}

/** The state as a file's content. Whoever had the store is fenced off by a new token, where it was taken over. */
export async function exportState(spec: PipelineSpec, ambient: Ambient, opening: StateOpening): Promise<string> {
  await using store = await openStore(spec, ambient);
  const stored = await store.open(opening);
  if (stored === null) throw nothingStored(store);
  return encodeState(spec.name, stored);
}

/** Into a store that has none of this pipeline yet. Returns the newest epoch. */
export async function importState(
  spec: PipelineSpec,
  path: string,
  ambient: Ambient,
  opening: StateOpening,
): Promise<number> {
  const { confirmed, newest } = await readStateFile(path, spec.name);
  await decodeParts(newest.parts);
  await using store = await openStore(spec, ambient);
  const there = await store.open(opening);
  if (there !== null)
    throw new MillraceError(
      "STATE_EXISTS",
      `${store.place} holds epoch ${there.newest.epoch} of this pipeline already`,
    );
  if (confirmed !== null) await store.reset(confirmed);
  if (confirmed?.epoch !== newest.epoch) await store.put(epochBetween(spec.name, confirmed, newest));
  return newest.epoch;
}

function nothingStored({ place }: CheckpointStore): MillraceError {
  return new MillraceError("USAGE", `${place} holds nothing of this pipeline`);
}

type OpenSink = Awaited<ReturnType<typeof openSink>>;

async function withSink<T>(spec: PipelineSpec, ambient: Ambient, work: (sink: OpenSink) => Promise<T>): Promise<T> {
  const sink = await openSink(spec, ambient);
  try {
    return await work(sink);
  } finally {
    await sink.close();
  }
}
