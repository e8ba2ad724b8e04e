import type { MillraceError } from "../core/errors.ts";
import type { Json } from "../core/json.ts";
import type { Position } from "../core/position.ts";
import type { CommittedRecord } from "../core/record.ts";
import type { Inspection, LogReader, Source, TableSize } from "../core/source.ts";
import type { TableId } from "../core/table-schema.ts";
import { needsSnapshot, Snapshot } from "../snapshot/snapshot.ts";
import { beginTables } from "./begin-tables.ts";
import { Delivery } from "./delivery.ts";
import { Epochs } from "./epochs.ts";
import type { Connectors, Pipeline, AttemptRequest } from "./parts.ts";
import { decodeParts, type RecordContent } from "./record-parts.ts";
import type { RunOutcome } from "./run-outcome.ts";
import { withSinkRefusals } from "./sink-refusals.ts";
import { allTablesStopped, stoppedTables } from "./stopped-tables.ts";
import { definable, planTables, type TablePlan, withDefinitions } from "./table-plan.ts";
import { takeState } from "./take-state.ts";

/** Everything an attempt has open, from recovery to the first item of the line. */
export interface Session extends AsyncDisposable {
  readonly kind: "open";
  readonly connectors: Connectors;
  readonly log: LogReader;
  readonly snapshot: Snapshot;
  readonly epochs: Epochs;
  readonly delivery: Delivery;
  /** As the pipeline was begun, whatever its file says now. */
  readonly snapshotOnly: boolean;
  /** Nothing more is wanted of the log: the source need not keep it for us. */
  release(signal: AbortSignal): Promise<void>;
}

/**
 * Recovers, makes the source ready, begins the tables that are new, and opens the log at the last committed position.
 * `failed` are tables that the attempt before could not go on with: they begin this one as stopped. Where the pipeline is
 * a snapshot and no more, and has it, there is nothing to open.
 */
export async function openSession(
  pipeline: Pipeline,
  request: AttemptRequest,
  failed: ReadonlyMap<TableId, MillraceError>,
  signal: AbortSignal,
): Promise<Session | RunOutcome> {
  const connectors = await pipeline.connect();
  try {
    const session = await begin(pipeline, request, connectors, failed, signal);
    if (session.kind !== "open") await closeConnectors(connectors);
    return session;
  } catch (error) {
    await closeConnectors(connectors);
    throw error;
  }
}

async function begin(
  pipeline: Pipeline,
  request: AttemptRequest,
  connectors: Connectors,
  failed: ReadonlyMap<TableId, MillraceError>,
  signal: AbortSignal,
): Promise<Session | RunOutcome> {
  const { source, sink } = connectors;
  const { ambient, events } = request;
  events({ kind: "starting", step: "opening the checkpoint store and the sink" });
  const { from, inspecting } = await recoverRecord(pipeline, request, connectors, signal);
  const content = await decodeParts(from.parts);
  const epochs = epochsOf(pipeline, request, connectors, from, content);
  await epochs.claim();
  events({ kind: "starting", step: "inspecting the source" });
  const inspection = withSinkRefusals(await inspecting, pipeline.problem);
  const { startup, terms } = pipeline;
  const begun = sink.begun();
  const planned = planTables({ content, inspection, startup, terms, resnapshot: request.resnapshot, begun, failed });
  const snapshotOnly = content.source === null ? startup.kind === "snapshot" : content.source.snapshotOnly === true;
  if (snapshotOnly && content.position !== null && planned.begin.length === 0 && epochs.allRead) {
    // A run that was killed behind its last epoch has not come to it.
    await release(request, source, signal);
    return { kind: "snapshot-done", stoppedTables: stoppedTables(content.tables, planned.stop) };
  }
  const { identity } = inspection;
  if (planned.live.length === 0)
    throw await noneLeft(request, connectors, { epochs, content, planned, identity, snapshotOnly });
  if (planned.begin.length > 0 || [...content.tables.values()].some(({ state }) => state.kind === "snapshotting"))
    connectors.executor.start();
  const position = await prepare(request, connectors, content, planned, signal);
  const beginning = new Set(planned.begin.map(({ part }) => part.schema.id));
  for (const { schema, notes } of inspection.offers)
    if (beginning.has(schema.id))
      for (const note of notes) ambient.logger.warn("a table begins", { table: schema.id, note });
  const plan = withDefinitions(planned, await source.define(definable(planned, startup), signal));
  for (const [table, { incarnation, state }] of content.tables) events({ kind: "table", table, incarnation, state });
  epochs.progress(position, content.position?.unsettled ?? [], null);
  await beginTables({ plan, epochs, sink, ambient, events, content, identity, snapshotOnly, position });
  const needing = new Set([...epochs.tables.values()].filter(needsSnapshot).map(({ schema }) => schema.id));
  const read = inspection.offers.filter(({ schema }) => needing.has(schema.id));
  const sizes = read.length === 0 ? new Map<TableId, TableSize>() : await source.sizes(read, signal);
  return openLine(pipeline, request, connectors, { from, content, plan, position, epochs, sizes, snapshotOnly });
}

function epochsOf(
  { name, settings }: Pipeline,
  { ambient, events }: AttemptRequest,
  { sink, store }: Connectors,
  from: CommittedRecord,
  content: RecordContent,
): Epochs {
  const limits = {
    intervalMs: settings.checkpointIntervalMs,
    // What comes until the next flush must still fit.
    changesMax: Math.max(1, settings.checkpointRowsMax - settings.flushRows),
    bytesMax: settings.checkpointBytesMax,
  };
  return new Epochs({ pipeline: name, from, content, limits, sink, store, ambient, events });
}

/** The error of a pipeline whose every table has stopped. Those that stop only now are recorded first: what they missed is lost. */
async function noneLeft(
  request: AttemptRequest,
  connectors: Connectors,
  {
    epochs,
    content,
    planned: plan,
    identity,
    snapshotOnly,
  }: {
    readonly epochs: Epochs;
    readonly content: RecordContent;
    readonly planned: TablePlan;
    readonly identity: Json;
    readonly snapshotOnly: boolean;
  },
): Promise<MillraceError> {
  const { source, sink } = connectors;
  const { ambient, events } = request;
  if (content.position !== null) {
    const position = source.parsePosition(content.position.position);
    epochs.progress(position, content.position.unsettled, null);
    await beginTables({ plan, epochs, sink, ambient, events, content, identity, snapshotOnly, position });
  }
  return allTablesStopped(stoppedTables(content.tables, plan.stop));
}

/** What an attempt goes on from, when its tables have begun. */
interface Begun {
  readonly from: CommittedRecord;
  readonly content: RecordContent;
  readonly plan: TablePlan;
  readonly position: Position;
  readonly epochs: Epochs;
  readonly sizes: ReadonlyMap<TableId, TableSize>;
  readonly snapshotOnly: boolean;
}

function openLine(pipeline: Pipeline, request: AttemptRequest, connectors: Connectors, begun: Begun): Session {
  const { source, sink } = connectors;
  const { ambient, events } = request;
  const { settings } = pipeline;
  const { from, content, plan, position, epochs, sizes, snapshotOnly } = begun;
  const log = source.log({
    from: position,
    tables: plan.live,
    batchBytesMax: settings.batchBytesMax,
    flushIntervalMs: settings.flushIntervalMs,
    flushRows: settings.flushRows,
  });
  const snapshot = new Snapshot({
    tables: epochs.tables,
    sizes,
    unsettled: content.position?.unsettled ?? [],
    token: from.token,
    source,
    log,
    executor: connectors.executor,
    settings,
    spillFolder: pipeline.spillFolder,
    ambient,
    events,
  });
  const delivery = new Delivery({ sink, log, epochs, snapshot, ambient, events });
  return {
    kind: "open",
    connectors,
    log,
    snapshot,
    epochs,
    delivery,
    snapshotOnly,
    async release(ending: AbortSignal): Promise<void> {
      await log[Symbol.asyncDispose]();
      await release(request, source, ending);
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await snapshot[Symbol.asyncDispose]();
      await log[Symbol.asyncDispose]();
      await closeConnectors(connectors);
    },
  };
}

/** The source is inspected beside, which takes as long where there are many tables. */
async function recoverRecord(
  pipeline: Pipeline,
  request: AttemptRequest,
  { store, sink, source }: Connectors,
  signal: AbortSignal,
): Promise<{ readonly from: CommittedRecord; readonly inspecting: Promise<Inspection> }> {
  const { ambient, events, takeOver, takenOver } = request;
  const { name, sinkRemembers } = pipeline;
  const { tokenBefore } = request;
  const beside: { inspecting?: Promise<Inspection> } = {};
  const taken = (): void => {
    beside.inspecting = source.inspect(signal);
    // Where the opening of the store or of the sink fails, its error counts.
    beside.inspecting.catch(() => undefined);
  };
  const waiting = (on: string | null): void => events({ kind: "waiting", on });
  const opening = { signal, takeOver, takenOver, taken, waiting };
  const taking = { pipeline: name, sinkRemembers, operator: "none", opening, tokenBefore, ambient } as const;
  const from = await takeState(taking, store, sink);
  request.recovered(from.token);
  if (from.epoch > 0) events({ kind: "notice", text: `resuming after epoch ${from.epoch}` });
  return { from, inspecting: beside.inspecting! };
}

async function prepare(
  request: AttemptRequest,
  { source }: Connectors,
  content: RecordContent,
  plan: TablePlan,
  signal: AbortSignal,
): Promise<Position> {
  request.events({ kind: "starting", step: "preparing the source" });
  const resume = content.position === null ? null : source.parsePosition(content.position.position);
  const created = (what: string): void => {
    request.ambient.logger.info("source prepared", { what });
    request.events({ kind: "notice", text: what });
  };
  return await source.prepare({ resume, tables: plan.live }, created, signal);
}

async function release(request: AttemptRequest, source: Source, signal: AbortSignal): Promise<void> {
  await source.drop((what) => request.ambient.logger.info("source released", { what }), signal);
}

async function closeConnectors({ source, sink, store, executor }: Connectors): Promise<void> {
  await executor[Symbol.asyncDispose]();
  await source[Symbol.asyncDispose]();
  await sink.close();
  await store[Symbol.asyncDispose]();
}
