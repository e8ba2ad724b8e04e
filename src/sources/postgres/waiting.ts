import type { Ambient } from "../../core/ambient.ts";
import type { Session } from "./connection.ts";
import { PgCut, xid64, type Xid64 } from "./position.ts";
import { insertPosition, INSERT_POSITION, type WalPlace } from "./wal-bound.ts";

const POLL_MIN_MS = 50;
const POLL_MAX_MS = 1_000;

/** The sessions that `condition` (over `pg_stat_activity a`) means, for people. Never their statements: those hold values. */
export async function describeBackends(
  session: Session,
  condition: string,
  values: readonly unknown[],
  signal: AbortSignal,
): Promise<string> {
  const [row] = await session.query<{ who: string | null }>(
    `SELECT string_agg(format('process %s (user %s, %s, %s, since %s)', a.pid, coalesce(a.usename, '?'),
       coalesce(nullif(a.application_name, ''), 'no application name'), CASE WHEN a.wait_event = 'SyncRep' THEN 'waiting for a synchronous standby' ELSE coalesce(a.state, '?') END,
       date_trunc('second', a.xact_start)), '; ' ORDER BY a.xact_start) AS who
     FROM pg_stat_activity a WHERE ${condition}`,
    values,
    signal,
  );
  return row?.who ?? "";
}

/** What a snapshot taken now contains. */
export async function visibleCut(session: Session, signal: AbortSignal): Promise<PgCut> {
  const [row] = await session.query<{ snapshot: string } & WalPlace>(
    `SELECT pg_current_snapshot()::text AS snapshot, ${INSERT_POSITION}`,
    [],
    signal,
  );
  return new PgCut(row!.snapshot, insertPosition(row!));
}

/** An xid that is taken and given back: every transaction open now has a lower one, or writes under what is set up now. */
export async function takeXid(session: Session, signal: AbortSignal): Promise<Xid64> {
  const results = await session.script("BEGIN; SELECT pg_current_xact_id()::text AS xid; ROLLBACK", signal);
  return xid64(BigInt(results[1]![0]!["xid"] as string));
}

/**
 * Resolves when a snapshot's xmin has reached `begin`, and `ids` are visible. `waiting` hears what for, when that
 * changes: a session, a prepared transaction, or a commit that waits for a standby.
 */
export async function untilVisible(
  session: Session,
  begin: Xid64,
  ids: readonly Xid64[],
  waiting: (what: string) => void,
  ambient: Ambient,
  signal: AbortSignal,
): Promise<void> {
  let said = "";
  for (let pauseMs = POLL_MIN_MS; ; pauseMs = Math.min(pauseMs * 2, POLL_MAX_MS)) {
    const cut = await visibleCut(session, signal);
    const hidden = ids.find((id) => !cut.includesXid(id));
    if (cut.xmin >= begin && hidden === undefined) return;
    const oldest = cut.xmin < begin ? cut.xmin : hidden!;
    const what = await describeXid(session, oldest, signal);
    if (what !== said) waiting(what);
    said = what;
    await ambient.clock.sleep(pauseMs, signal);
  }
}

async function describeXid(session: Session, xid: Xid64, signal: AbortSignal): Promise<string> {
  const low = (xid & 0xffff_ffffn).toString();
  const running = await describeBackends(session, "a.backend_xid::text = $1", [low], signal);
  if (running !== "") return `transaction ${xid} of ${running}`;
  const [prepared] = await session.query<{ gid: string }>(
    "SELECT gid FROM pg_prepared_xacts WHERE transaction::text = $1",
    [low],
    signal,
  );
  return prepared === undefined ? `transaction ${xid}` : `prepared transaction ${xid} (${prepared.gid})`;
}
