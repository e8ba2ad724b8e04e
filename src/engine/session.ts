import type { Ambient } from "../core/ambient.ts";
import { MillraceError } from "../core/errors.ts";
import type { Json } from "../core/json.ts";
import type { Position } from "../core/position.ts";
import { epochBetween, type CommittedRecord } from "../core/record.ts";
import type { LogReader, Source } from "../core/source.ts";
import type { Sink } from "../core/sink.ts";
import type { TableId } from "../core/table-schema.ts";
import { Snapshot } from "../snapshot/snapshot.ts";
import { beginTables } from "./begin-tables.ts";
import { Delivery } from "./delivery.ts";
import { Epochs } from "./epochs.ts";
import type { Connectors, Pipeline, RunRequest } from "./parts.ts";
import { decodeParts, type RecordContent } from "./record-parts.ts";
import { recover } from "./recovery.ts";
import type { RunOutcome } from "./run-outcome.ts";
import { withSinkRefusals } from "./sink-refusals.ts";
import { allRead, allTablesStopped, stoppedTables } from "./stopped-tables.ts";
import { definable, planTables, type TablePlan, withDefinitions } from "./table-plan.ts";

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
  request: RunRequest,
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
  request: RunRequest,
  connectors: Connectors,
  failed: ReadonlyMap<TableId, MillraceError>,
  signal: AbortSignal,
): Promise<Session | RunOutcome> {
  const { source, sink } = connectors;
  const { ambient, events } = request;
  events({ kind: "starting", step: "opening the checkpoint store and the sink" });
  const from = await recoverRecord(pipeline, request, connectors, signal);
  const content = decodeParts(from.parts);
  events({ kind: "starting", step: "inspecting the source" });
  const inspection = withSinkRefusals(await source.inspect(signal), pipeline.problem);
  const { startup, terms } = pipeline;
  const begun = sink.begun();
  const planned = planTables({ content, inspection, startup, terms, resnapshot: request.resnapshot, begun, failed });
  const snapshotOnly = content.source === null ? startup.kind === "snapshot" : content.source.snapshotOnly === true;
  if (snapshotOnly && content.position !== null && planned.begin.length === 0 && allRead(content.tables)) {
    // A run that was killed behind its last epoch has not come to it.
    await release(request, source, signal);
    return { kind: "snapshot-done", stoppedTables: stoppedTables(content.tables, planned.stop) };
  }
  const { identity } = inspection;
  if (planned.live.length === 0)
    throw await noneLeft(pipeline, request, connectors, { from, content, planned, identity, snapshotOnly });
  if (planned.begin.length > 0 || [...content.tables.values()].some(({ state }) => state.kind === "snapshotting"))
    connectors.executor.start();
  const position = await prepare(request, connectors, content, planned, signal);
  for (const { part } of planned.begin) {
    const { id } = part.schema;
    const notes = inspection.offers.find(({ schema }) => schema.id === id)?.notes ?? [];
    for (const note of notes) ambient.logger.warn("a table begins", { table: id, note });
  }
  const plan = withDefinitions(planned, await source.define(definable(planned, startup), signal));
  const epochs = epochsOf(pipeline, request, connectors, from, content);
  for (const [table, { incarnation, state }] of content.tables) events({ kind: "table", table, incarnation, state });
  epochs.progress(position, content.position?.unsettled ?? [], null);
  await beginTables({ plan, epochs, sink, ambient, events, content, identity, snapshotOnly, position });
  return openLine(pipeline, request, connectors, { from, content, plan, position, epochs, snapshotOnly });
}

function epochsOf(
  { name, settings }: Pipeline,
  { ambient, events }: RunRequest,
  { sink, store }: Connectors,
  from: CommittedRecord,
  { tables }: RecordContent,
): Epochs {
  const limits = {
    intervalMs: settings.checkpointIntervalMs,
    // What comes until the next flush must still fit.
    changesMax: Math.max(1, settings.checkpointRowsMax - settings.flushRows),
    bytesMax: settings.checkpointBytesMax,
  };
  return new Epochs({ pipeline: name, from, tables, limits, sink, store, ambient, events });
}

/** The error of a pipeline whose every table has stopped. Those that stop only now are recorded first: what they missed is lost. */
async function noneLeft(
  pipeline: Pipeline,
  request: RunRequest,
  connectors: Connectors,
  {
    from,
    content,
    planned: plan,
    identity,
    snapshotOnly,
  }: {
    readonly from: CommittedRecord;
    readonly content: RecordContent;
    readonly planned: TablePlan;
    readonly identity: Json;
    readonly snapshotOnly: boolean;
  },
): Promise<MillraceError> {
  const { source, sink } = connectors;
  const { ambient, events } = request;
  if (content.position !== null) {
    const epochs = epochsOf(pipeline, request, connectors, from, content);
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
  readonly snapshotOnly: boolean;
}

function openLine(pipeline: Pipeline, request: RunRequest, connectors: Connectors, begun: Begun): Session {
  const { source, sink } = connectors;
  const { ambient, events } = request;
  const { settings } = pipeline;
  const { from, content, plan, position, epochs, snapshotOnly } = begun;
  const log = source.log({
    from: position,
    tables: plan.live,
    batchBytesMax: settings.batchBytesMax,
    flushIntervalMs: settings.flushIntervalMs,
    flushRows: settings.flushRows,
  });
  const snapshot = new Snapshot({
    tables: epochs.tables,
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

async function recoverRecord(
  pipeline: Pipeline,
  request: RunRequest,
  { store, sink }: Connectors,
  signal: AbortSignal,
): Promise<CommittedRecord> {
  const stored = await store.open(pipeline.sinkRemembers && request.recoverFrom === "sink");
  const committed = await sink.open(pipeline.name, signal);
  const operator = request.recoverFrom ?? "none";
  const recovery = recover({ sink: committed, store: stored, sinkRemembers: pipeline.sinkRemembers, operator });
  if (recovery.kind === "refuse") throw recovery.error;
  const again = await commitStaged(pipeline.name, request.ambient, sink, recovery.from, recovery.staged);
  const from = again ?? recovery.from;
  // In step too: the new token must be in the store before anything else, or a frozen run could still commit under its own.
  await store.reset(from);
  const { epoch, token } = from;
  const repair = again === null ? recovery.store : "committed-again";
  request.ambient.logger.info("recovered", { kind: recovery.kind, store: repair, epoch, token });
  if (epoch > 0) request.events({ kind: "notice", text: `resuming after epoch ${epoch}` });
  return from;
}

/** Commits what a run before had staged. Null: there is nothing, or it is gone, and is written anew from the source. */
async function commitStaged(
  pipeline: string,
  ambient: Ambient,
  sink: Sink,
  from: CommittedRecord,
  staged: CommittedRecord | null,
): Promise<CommittedRecord | null> {
  if (staged === null) return null;
  try {
    await sink.commit(epochBetween(pipeline, from, staged));
    return staged;
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== "SINK_STAGED_LOST") throw error;
    ambient.logger.warn("a staged epoch is gone and is written anew", { epoch: staged.epoch, reason: error.message });
    return null;
  }
}

async function prepare(
  request: RunRequest,
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

async function release(request: RunRequest, source: Source, signal: AbortSignal): Promise<void> {
  await source.drop((what) => request.ambient.logger.info("source released", { what }), signal);
}

async function closeConnectors({ source, sink, store, executor }: Connectors): Promise<void> {
  await executor[Symbol.asyncDispose]();
  await source[Symbol.asyncDispose]();
  await sink.close();
  await store[Symbol.asyncDispose]();
}
