import { MillraceError } from "../../core/errors.ts";
import { readsTables } from "../../core/startup.ts";
import { tableId, type TableSchema } from "../../core/table-schema.ts";
import { tableNames } from "./catalog.ts";
import type { MysqlOptions } from "./config.ts";
import type { Session } from "./connection.ts";
import { compareFiles, FilePosition } from "./position/file-position.ts";
import { GtidSet } from "./position/gtid-set.ts";
import { LogFiles } from "./log/files.ts";
import { logHead } from "./log/head.ts";
import { LogWalk } from "./log/walk.ts";
import { type LogPosition, MariadbPosition, type MysqlPosition } from "./position.ts";
import { changedError } from "./schema.ts";
import { gtidsChanged, type ServerFacts, usesGtids } from "./server-facts.ts";
import { behind, LOG_RESET } from "./position/source-behind.ts";
import type { StartOptions } from "./log/start-position.ts";
import { StartPlace } from "./startup.ts";

/** The start position: `resume` after a check that the server still has the log from there, else where `scan.startup.mode` says. */
export async function prepare(
  options: MysqlOptions,
  { session, clock, signal }: Omit<StartOptions, "waitMs">,
  facts: ServerFacts,
  request: { readonly resume: LogPosition | null; readonly tables: readonly TableSchema[] },
): Promise<LogPosition> {
  const there = new Set((await tableNames(session, signal)).map(({ namespace, name }) => tableId(namespace, name)));
  for (const { id } of request.tables) if (!there.has(id)) throw changedError(id, "it was dropped or renamed");
  const { resume } = request;
  if (resume === null) {
    checkShapes(options, facts);
    const place = new StartPlace(options, facts, { session, clock, signal, waitMs: options.lockTimeoutMs });
    return await place.position(options.startup);
  }
  if ((facts.flavour === "mariadb") !== resume instanceof MariadbPosition)
    throw new MillraceError("SOURCE_BEHIND", "the checkpoint is of another kind of server than the one that answers", {
      place: { position: resume.toString() },
    });
  if (resume instanceof MariadbPosition) await checkHead(session, resume, signal);
  else if (resume instanceof FilePosition === usesGtids(facts))
    throw gtidsChanged(
      usesGtids(facts)
        ? "have been switched on since the pipeline was begun"
        : `are switched off (gtid_mode is ${facts.gtidMode})`,
    );
  else if (resume instanceof FilePosition) await checkFile(options, session, facts, resume, signal);
  else {
    await checkPurged(session, resume, signal);
    await checkHead(session, resume, signal);
  }
  return resume;
}

/** Of a log from before now, it alone can say what its rows are made of. */
function checkShapes({ startup }: MysqlOptions, { flavour, rowMetadata }: ServerFacts): void {
  if (readsTables(startup) || startup.kind === "latest" || rowMetadata === "FULL") return;
  throw new MillraceError(
    "SOURCE_SETTING",
    `the pipeline is to begin in the log's past, and that names no columns (binlog_row_metadata is ${rowMetadata})`,
    {
      hint: `Run \`SET ${flavour === "mysql" ? "PERSIST" : "GLOBAL"} binlog_row_metadata = 'FULL'\` and begin behind it, or set \`scan.startup.mode\` to initial or latest-offset.`,
    },
  );
}

/** Whether the place is in the server's files, and these are the files that it was in. */
async function checkFile(
  options: MysqlOptions,
  session: Session,
  facts: ServerFacts,
  resume: FilePosition,
  signal: AbortSignal,
): Promise<void> {
  const place = { position: resume.toString() };
  if (resume.server !== facts.uuid)
    throw new MillraceError(
      "SOURCE_CHANGED",
      `the pipeline's position is in the binlog of server ${resume.server}, and this one is ${facts.uuid}`,
      {
        hint: "Without GTIDs a position means nothing on another server. Point the pipeline at the one it was begun on; or switch GTIDs on (`gtid_mode = ON`) and begin anew with `millrace drop FILE` and `millrace run FILE`.",
        place,
      },
    );
  const walk = new LogWalk(options, facts.flavour);
  const logFiles = new LogFiles(facts, session, walk);
  const files = await logFiles.list(signal);
  const newest = files.at(-1)!;
  for (const needed of resume.isPlain ? [resume] : [resume, resume.restart]) {
    const file = files.find(({ name }) => name === needed.file);
    if (file === undefined && (compareFiles(needed.file, newest.name) ?? -1) < 0)
      throw logLost(`those behind ${needed.toString()}, with the file`, resume);
    if (file === undefined || file.size < needed.offset)
      throw behind(`its log ends at ${newest.name}:${newest.size}, before ${needed.toString()}`, resume, LOG_RESET);
    // A file's beginning is known to the second. Of a file that was begun within the same one, the place is most likely none.
    const same = needed.begun === 0 || (await walk.begun(needed.file, signal)) === needed.begun;
    if (!same || !(await logFiles.hasBoundary(file, needed.ask, signal)))
      throw behind(`its file ${needed.file} is another one of that name`, resume, LOG_RESET);
  }
}

/** `gtid_purged` ⊆ delivered (design §4). On MariaDB the server says so itself, when the log is asked for. */
async function checkPurged(session: Session, resume: MysqlPosition, signal: AbortSignal): Promise<void> {
  const [row] = await session.query<{ purged: string }>("SELECT @@global.gtid_purged AS purged", [], signal);
  const purged = GtidSet.parse(row!.purged).without(resume.restartGtids);
  if (!purged.isEmpty) throw logLost(purged.toString(), resume);
}

/** Delivered ⊆ what the server has. */
async function checkHead(session: Session, resume: LogPosition, signal: AbortSignal): Promise<void> {
  const here = await logHead(session, signal);
  if (!here.covers(resume)) throw behind(`${resume.toString()} (it is at ${here.toString()})`, resume);
}

function logLost(what: string, resume: LogPosition): MillraceError {
  return new MillraceError("LOG_LOST", `the server has purged transactions that were not delivered: ${what}`, {
    place: { position: resume.toString() },
  });
}
