import { MillraceError } from "../../../core/errors.ts";
import type { Session } from "../connection.ts";
import { askable, FILE_START, FilePosition } from "../position/file-position.ts";
import { GtidSet } from "../position/gtid-set.ts";
import type { LogWalk, WalkedTransaction } from "./walk.ts";
import { GtidPosition } from "../position/mariadb-gtid.ts";
import { type LogPosition, MariadbPosition, MariadbTransaction, MysqlPosition, MysqlTransaction } from "../position.ts";
import { type ServerFacts, usesGtids } from "../server-facts.ts";

export interface LogFile {
  readonly name: string;
  /** In bytes, as it is now. */
  readonly size: number;
}

/** The binlog files that a server has, and what of the log is before a place in them. */
export class LogFiles {
  readonly #facts: ServerFacts;
  readonly #session: Session;
  readonly #walk: LogWalk;

  constructor(facts: ServerFacts, session: Session, walk: LogWalk) {
    this.#facts = facts;
    this.#session = session;
    this.#walk = walk;
  }

  /** The oldest first; there is always one. */
  async list(signal: AbortSignal): Promise<readonly LogFile[]> {
    const rows = await this.#session.query<{ Log_name: string; File_size: number | string }>(
      "SHOW BINARY LOGS",
      [],
      signal,
    );
    if (rows.length === 0) throw new MillraceError("SOURCE_SETTING", "the server has no binlog files");
    return rows.map((row) => ({ name: row.Log_name, size: Number(row.File_size) }));
  }

  /** All that is in older files, or in none any more. */
  async beginning(file: string, signal: AbortSignal): Promise<LogPosition> {
    if (this.#facts.flavour === "mariadb") {
      const [row] = await this.#session.query<{ position: string | null }>(
        "SELECT BINLOG_GTID_POS(?, ?) AS position",
        [file, FILE_START],
        signal,
      );
      if (typeof row?.position !== "string") throw lost(file);
      return new MariadbPosition(GtidPosition.parse(row.position));
    }
    if (!usesGtids(this.#facts))
      return FilePosition.at(this.#facts.uuid, file, FILE_START, await this.#walk.begun(file, signal));
    const [row] = await this.#session.query<{ purged: string }>("SELECT @@global.gtid_purged AS purged", [], signal);
    const head = await this.#session.query<{ Event_type: string; Info: string }>(
      "SHOW BINLOG EVENTS IN ? LIMIT 2",
      [file],
      signal,
    );
    const previous = head.find((event) => event.Event_type === "Previous_gtids");
    if (previous === undefined) throw lost(file);
    return new MysqlPosition(GtidSet.parse(row!.purged).union(GtidSet.parse(previous.Info)));
  }

  /** The position with a transaction that comes next in the log. */
  behind(position: LogPosition, { transaction, file, offset }: WalkedTransaction): LogPosition {
    if (position instanceof MysqlPosition && transaction instanceof MysqlTransaction) return position.with(transaction);
    if (position instanceof MariadbPosition && transaction instanceof MariadbTransaction)
      return position.with(transaction);
    if (!(position instanceof FilePosition)) throw new MillraceError("INTERNAL", "a log of another kind of server");
    const known = position.file === file ? position : FilePosition.at(position.server, file, FILE_START);
    const ask = askable(offset) ? offset : known.ask;
    return new FilePosition(position.server, { file, offset: offset + 1, ask, begun: known.begun });
  }

  /** Whether a file has a place between two transactions at an offset. */
  async hasBoundary(file: LogFile, offset: number, signal: AbortSignal): Promise<boolean> {
    if (offset >= file.size) return offset === file.size;
    try {
      const [event] = await this.#session.query<{ Pos: number | string; Event_type: string }>(
        `SHOW BINLOG EVENTS IN ? FROM ${offset} LIMIT 1`,
        [file.name],
        signal,
      );
      return event !== undefined && Number(event.Pos) === offset && BETWEEN_TRANSACTIONS.test(event.Event_type);
    } catch (error) {
      // It says that there is no event.
      if (error instanceof MillraceError && error.code === "SOURCE_STATEMENT_FAILED") return false;
      throw error;
    }
  }
}

/** Events that no transaction is open before, as the servers show them. */
const BETWEEN_TRANSACTIONS = /gtid|^(?:format_desc|binlog_checkpoint|start_encryption|rotate|stop)$/i;

function lost(file: string): MillraceError {
  return new MillraceError("LOG_LOST", `the server's binlog file ${file} went while it was looked at`);
}
