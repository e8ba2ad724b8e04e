import type { Clock } from "../../../core/ambient.ts";
import { MillraceError } from "../../../core/errors.ts";
import { ActiveTransactions } from "./active-transactions.ts";
import type { Session } from "../connection.ts";
import { binlogStatus, filePositionOf } from "./cut.ts";
import type { FilePosition } from "../position/file-position.ts";
import { LogCut } from "../position.ts";
import { gtidsChanged, settleMsOf } from "../server-facts.ts";

/** Places are remembered no closer together. */
const APART_MS = 250;

/** A place where the log ended once. */
interface Passed {
  readonly position: FilePosition;
  /** When that was known. */
  readonly atMs: number;
  /** Transactions that may be before it in the log and were not visible yet when we last looked; null: we have not. */
  hidden: ReadonlySet<string> | null;
}

/**
 * How much of MySQL's log is surely visible where there are no GTIDs (ADR 0011): up to a place behind which, since the log had it, no
 * transaction goes on that went on then; or where nobody tells what goes on, up to one that is old enough.
 */
export class VisibleLog {
  readonly #clock: Clock;
  readonly #active: ActiveTransactions;
  /** In the order of the log, all behind `#included`. */
  #passed: Passed[] = [];
  #included: FilePosition | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#active = new ActiveTransactions(clock);
  }

  /** Bounded by where the log ends now. */
  async cut(session: Session, signal: AbortSignal): Promise<LogCut> {
    const nowMs = this.#clock.monotonicMs();
    const [settings, status, timeouts] = await session.script(
      [
        "SELECT @@global.gtid_mode AS mode, @@global.server_uuid AS uuid",
        binlogStatus(session.serverVersion),
        "SHOW GLOBAL VARIABLES LIKE 'rpl_semi_sync_%_timeout'",
      ].join("; "),
      signal,
    );
    const { mode, uuid } = settings![0]!;
    if (mode === "ON") throw gtidsChanged("have been switched on since the pipeline was begun");
    const position = filePositionOf(String(uuid), status);
    if (position === null) throw new MillraceError("SOURCE_SETTING", "the server writes no binlog");
    this.#remember(position);
    const active = await this.#active.list(session, signal);
    if (active !== null) this.#compare(active);
    this.#settle(nowMs - settleMsOf(timeouts!));
    return new LogCut(this.#included, position);
  }

  #remember(position: FilePosition): void {
    const atMs = this.#clock.monotonicMs();
    const last = this.#passed.at(-1);
    if (last !== undefined && atMs - last.atMs < APART_MS) return;
    this.#passed.push({ position, atMs, hidden: null });
  }

  /** What is before a place and not visible now has gone on since before the log had the place, under one id. */
  #compare(active: ReadonlySet<string>): void {
    for (const passed of this.#passed)
      passed.hidden = new Set([...(passed.hidden ?? active)].filter((id) => active.has(id)));
  }

  #settle(oldMs: number): void {
    const last = this.#passed.findLastIndex(({ hidden, atMs }) => hidden?.size === 0 || atMs <= oldMs);
    if (last < 0) return;
    this.#included = this.#passed[last]!.position;
    this.#passed = this.#passed.slice(last + 1);
  }
}
