import type { Ambient } from "../../core/ambient.ts";
import { MillraceError } from "../../core/errors.ts";
import type { PostgresOptions } from "./config.ts";
import { Session } from "./connection.ts";
import { formatLsn, parseLsn, PgPosition, type PgLsn } from "./position.ts";
import type { ServerFacts } from "./server-facts.ts";
import { describeBackends } from "./waiting.ts";

/** A slot cannot be made before the transactions open at the time have ended; this is how long they get. */
const CREATE_WAIT_MAX_MS = 10 * 60_000;
const CREATE_POLL_MS = 500;

/** The slot as `pg_replication_slots` has it. */
export interface Slot {
  readonly plugin: string | null;
  readonly database: string | null;
  readonly active: boolean;
  readonly activePid: number | null;
  readonly activeApplication: string | null;
  readonly confirmed: string | null;
  /** `lost`: the WAL is gone. */
  readonly walStatus: string | null;
  readonly retainedBytes: number | null;
  readonly invalidation: string | null;
  readonly head: string;
}

function slotQuery(facts: ServerFacts): string {
  const invalidation =
    facts.versionNumber >= 170_000
      ? "s.invalidation_reason"
      : facts.versionNumber >= 160_000
        ? "CASE WHEN s.conflicting THEN 'conflict' END"
        : "NULL::text";
  return `
    SELECT s.plugin, s.database, s.active, s.active_pid AS "activePid", a.application_name AS "activeApplication",
      s.confirmed_flush_lsn::text AS confirmed, s.wal_status AS "walStatus",
      pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn)::float8 AS "retainedBytes",
      ${invalidation} AS invalidation, pg_current_wal_insert_lsn()::text AS head
    FROM pg_replication_slots s LEFT JOIN pg_stat_activity a ON a.pid = s.active_pid WHERE s.slot_name = $1`;
}

export async function readSlot(
  options: PostgresOptions,
  session: Session,
  facts: ServerFacts,
  signal: AbortSignal,
): Promise<Slot | null> {
  const [found] = await session.query<Slot>(slotQuery(facts), [options.slotName], signal);
  return found ?? null;
}

export function slotInUse(options: PostgresOptions, pid: number | null, application: string | null): MillraceError {
  const who = pid === null ? "another process" : `process ${pid}${application ? ` (${application})` : ""}`;
  return new MillraceError("SLOT_IN_USE", `replication slot ${options.slotName} is being read by ${who}`, {
    hint: `End that process${pid === null ? "" : `, or its connection with \`SELECT pg_terminate_backend(${pid})\``}; or set another \`slot.name\`.`,
  });
}

/** Whether the slot is one that we can read, and nobody else does. */
export function checkSlot(options: PostgresOptions, slot: Slot): void {
  if (slot.plugin !== "pgoutput" || slot.database !== options.database)
    throw new MillraceError(
      "SLOT_MISMATCH",
      `replication slot ${options.slotName} is not a pgoutput slot of database ${options.database}`,
      { hint: `Set another \`slot.name\`, or run \`SELECT pg_drop_replication_slot('${options.slotName}')\`.` },
    );
  if (slot.active) throw slotInUse(options, slot.activePid, slot.activeApplication);
}

function slotLost(slot: Slot): string | null {
  if (slot.invalidation !== null) return slot.invalidation;
  return slot.walStatus === "lost" || slot.confirmed === null ? "its WAL was removed" : null;
}

const ANEW = "Run `millrace drop FILE`, then run the pipeline again: it begins with a new snapshot.";

/** Whether the log from `resume` on can still be had from this slot. */
export function checkResume(options: PostgresOptions, slot: Slot | null, resume: PgPosition): void {
  const lost = (what: string): MillraceError =>
    new MillraceError("LOG_LOST", `the log from ${resume.toString()} on cannot be had any more: ${what}`, {
      hint: ANEW,
      place: { position: resume.toString() },
    });
  if (slot === null) throw lost(`replication slot ${options.slotName} does not exist`);
  checkSlot(options, slot);
  const reason = slotLost(slot);
  if (reason !== null) throw lost(`replication slot ${options.slotName} was invalidated (${reason})`);
  if (parseLsn(slot.confirmed!) > resume.lsn)
    throw lost(`replication slot ${options.slotName} has been read up to ${slot.confirmed} by somebody else`);
  if (resume.lsn > parseLsn(slot.head))
    throw new MillraceError(
      "SOURCE_BEHIND",
      `the source's log ends at ${slot.head}, before what was already delivered from it (${resume.toString()})`,
      { place: { position: resume.toString() } },
    );
}

/**
 * Makes the slot where it is absent and returns where its log begins. One that is already there (see `checkSlot`; made by an operator, or
 * by a run that ended before its first epoch) is moved up to the present: what it held was never delivered, and the
 * publication may be younger than it.
 */
export async function beginSlot(
  options: PostgresOptions,
  session: Session,
  slot: Slot | null,
  created: (what: string) => void,
  ambient: Ambient,
  signal: AbortSignal,
): Promise<PgPosition> {
  if (slot !== null) {
    if (slotLost(slot) === null) {
      const [moved] = await session.query<{ lsn: string }>(
        "SELECT end_lsn::text AS lsn FROM pg_replication_slot_advance($1, pg_current_wal_flush_lsn())",
        [options.slotName],
        signal,
      );
      return new PgPosition(parseLsn(moved!.lsn));
    }
    await session.query("SELECT pg_drop_replication_slot($1)", [options.slotName], signal);
  }
  const start = await createSlot(options, session, ambient, signal);
  ambient.failpoint("source.slot-created");
  created(`replication slot ${options.slotName} was created at ${formatLsn(start)}`);
  return new PgPosition(start);
}

async function createSlot(
  options: PostgresOptions,
  watcher: Session,
  ambient: Ambient,
  signal: AbortSignal,
): Promise<PgLsn> {
  // Its wait for open transactions counts as one for a lock.
  await using maker = await Session.open(options, { statementTimeoutMs: 0, lockTimeoutMs: 0 }, signal);
  const [me] = await maker.query<{ pid: number }>("SELECT pg_backend_pid() AS pid", [], signal);
  const state = { done: false };
  const making = maker
    .query<{ lsn: string }>(
      "SELECT lsn::text FROM pg_create_logical_replication_slot($1, 'pgoutput')",
      [options.slotName],
      signal,
    )
    .finally(() => {
      state.done = true;
    });
  // The loop below is what is awaited until it ends; a failure is seen there.
  making.catch(() => undefined);
  const since = ambient.clock.monotonicMs();
  let named = "";
  while (!state.done) {
    await Promise.race([making.catch(() => undefined), ambient.clock.sleep(CREATE_POLL_MS, signal)]);
    if (state.done) break;
    const who = await blockers(watcher, me!.pid, signal);
    if (who !== "" && who !== named)
      ambient.logger.warn("replication slot waits for open transactions", { slot: options.slotName, waitingFor: who });
    named = who === "" ? named : who;
    if (ambient.clock.monotonicMs() - since < CREATE_WAIT_MAX_MS) continue;
    // Cutting the connection would leave the server's side waiting, with the slot half made.
    await watcher.query("SELECT pg_cancel_backend($1)", [me!.pid], signal);
    throw new MillraceError(
      "SLOT_WAIT",
      `replication slot ${options.slotName} could not be made: it waits for ${named}`,
    );
  }
  return parseLsn((await making)[0]!.lsn);
}

async function blockers(session: Session, pid: number, signal: AbortSignal): Promise<string> {
  return describeBackends(session, "a.pid = ANY(pg_blocking_pids($1))", [pid], signal);
}

export async function dropSlot(
  options: PostgresOptions,
  session: Session,
  slot: Slot | null,
  removed: (what: string) => void,
  signal: AbortSignal,
): Promise<void> {
  if (slot === null) return removed(`replication slot ${options.slotName} was already gone`);
  checkSlot(options, slot);
  await session.query("SELECT pg_drop_replication_slot($1)", [options.slotName], signal);
  removed(`replication slot ${options.slotName} was dropped`);
}
