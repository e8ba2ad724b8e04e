import type { Clock } from "../../../core/ambient.ts";
import { MillraceError } from "../../../core/errors.ts";
import type { Session } from "../connection.ts";
import { Errno, serverErrno } from "../server-error.ts";

/** InnoDB shows a copy to whoever asks within 100 ms of somebody who asked before (`CACHE_MIN_IDLE_TIME_NS`). */
const APART_MS = 150;
/** Of an answer that is cut off for its size, at 16 MB, the server says so in its log alone. */
const ROWS_MAX = 4000;
/** Transactions that have written nothing have ids from here on, which are no numbers of theirs. */
const READING_ID_MIN = 2n ** 48n;

interface ActiveRow {
  readonly id: string;
  readonly own: number | null;
  readonly idle: number | null;
}

/**
 * The transactions of InnoDB that may be being committed: those that have written something, but for those of sessions
 * that run no statement, since a commit is one. Asks for PROCESS; where the user does not have it, nothing is known.
 */
export class ActiveTransactions {
  readonly #clock: Clock;
  #askedMs = -Infinity;
  #asked = 0;
  #refused = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Their ids, as they were at some moment within this call; null: not known now. */
  async list(session: Session, signal: AbortSignal): Promise<ReadonlySet<string> | null> {
    if (this.#refused || this.#clock.monotonicMs() - this.#askedMs < APART_MS) return null;
    try {
      return await this.#ask(session, signal);
    } catch (error) {
      // MySQL cannot list its sessions while one of them runs a statement with a character beyond the BMP.
      if (serverErrno(error) === Errno.cannotConvert) return null;
      if (signal.aborted || !(error instanceof MillraceError) || !REFUSALS.includes(error.code)) throw error;
      this.#refused = true;
      return null;
    } finally {
      this.#askedMs = this.#clock.monotonicMs();
    }
  }

  async #ask(session: Session, signal: AbortSignal): Promise<ReadonlySet<string> | null> {
    // In a list that is no older than this call, our own transaction runs this very statement.
    const mark = `millrace ${++this.#asked}.`;
    await session.query("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", [], signal);
    try {
      const rows = await session.query<ActiveRow>(
        `SELECT CAST(t.trx_id AS CHAR) AS id, t.trx_mysql_thread_id = CONNECTION_ID() AND LOCATE('${mark}', t.trx_query) > 0 AS own,
         p.COMMAND = 'Sleep' AS idle
         FROM information_schema.INNODB_TRX t LEFT JOIN information_schema.PROCESSLIST p ON p.ID = t.trx_mysql_thread_id`,
        [],
        signal,
      );
      if (rows.length > ROWS_MAX || !rows.some(({ own }) => Number(own) === 1)) return null;
      const committing = rows.filter(({ id, idle }) => BigInt(id) < READING_ID_MIN && Number(idle) !== 1);
      return new Set(committing.map(({ id }) => id));
    } finally {
      if (!session.broken) await session.query("ROLLBACK", [], signal);
    }
  }
}

/** No PROCESS, or no such view any more. */
const REFUSALS = ["SOURCE_PRIVILEGE", "SOURCE_STATEMENT_FAILED"];
