import { MillraceError } from "../../core/errors.ts";
import type { TableSchema } from "../../core/table-schema.ts";
import { tableByName } from "./catalog.ts";
import type { MysqlOptions } from "./config.ts";
import type { Session } from "./connection.ts";
import { GtidSet } from "./gtid-set.ts";
import { GtidPosition } from "./mariadb-gtid.ts";
import { type LogPosition, MariadbPosition, MysqlPosition } from "./position.ts";
import { changedError } from "./schema.ts";
import type { ServerFacts } from "./server-facts.ts";
import { StartPlace } from "./startup.ts";

/** The start position: `resume` after a check that the server still has the log from there, else where `scan.startup.mode` says. */
export async function prepare(
  options: MysqlOptions,
  session: Session,
  facts: ServerFacts,
  request: { readonly resume: LogPosition | null; readonly tables: readonly TableSchema[] },
  signal: AbortSignal,
): Promise<LogPosition> {
  for (const { id, namespace, name } of request.tables)
    if ((await tableByName(session, namespace, name, signal)) === null)
      throw changedError(id, "it was dropped or renamed");
  const { resume } = request;
  if (resume === null) return await new StartPlace(options, facts, session).position(options.startup, signal);
  if (resume instanceof MysqlPosition && facts.flavour === "mysql") await checkMysql(session, resume, signal);
  else if (resume instanceof MariadbPosition && facts.flavour === "mariadb")
    await checkMariadb(session, resume, signal);
  else
    throw new MillraceError("SOURCE_BEHIND", "the checkpoint is of another kind of server than the one that answers", {
      place: { position: resume.toString() },
    });
  return resume;
}

/** `gtid_purged` ⊆ delivered ⊆ `gtid_executed` (design §4). */
async function checkMysql(session: Session, resume: MysqlPosition, signal: AbortSignal): Promise<void> {
  const [row] = await session.query<{ purged: string; executed: string }>(
    "SELECT @@global.gtid_purged AS purged, @@global.gtid_executed AS executed",
    [],
    signal,
  );
  const purged = GtidSet.parse(row!.purged).without(resume.gtids);
  if (!purged.isEmpty) throw logLost(purged.toString(), resume);
  const missing = resume.gtids.without(GtidSet.parse(row!.executed));
  if (!missing.isEmpty) throw behind(missing.toString(), resume);
}

/** What is lost the server says itself, when the log is asked for. */
async function checkMariadb(session: Session, resume: MariadbPosition, signal: AbortSignal): Promise<void> {
  const [row] = await session.query<{ binlog: string; current: string }>(
    "SELECT @@global.gtid_binlog_pos AS binlog, @@global.gtid_current_pos AS current",
    [],
    signal,
  );
  const here = GtidPosition.parse(row!.binlog).union(GtidPosition.parse(row!.current));
  if (!here.covers(resume.gtids)) throw behind(`${resume.toString()} (it is at ${here.toString()})`, resume);
}

function logLost(what: string, resume: LogPosition): MillraceError {
  return new MillraceError("LOG_LOST", `the server has purged transactions that were not delivered: ${what}`, {
    place: { position: resume.toString() },
  });
}

function behind(what: string, resume: LogPosition): MillraceError {
  return new MillraceError("SOURCE_BEHIND", `the server does not have what was delivered already: ${what}`, {
    place: { position: resume.toString() },
  });
}
