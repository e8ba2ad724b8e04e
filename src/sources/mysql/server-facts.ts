import { MillraceError } from "../../core/errors.ts";
import type { Json } from "../../core/json.ts";
import type { Row, Session } from "./connection.ts";
import { binlogStatus, replicaStatus } from "./log/cut.ts";
import type { Flavour } from "./position.ts";

/** What the server is, how it is set up, and what we may do there. */
export interface ServerFacts {
  readonly flavour: Flavour;
  /** `9.7.4`, `11.8.2`. */
  readonly version: string;
  readonly major: number;
  readonly minor: number;
  /** MySQL's `server_uuid`; empty on MariaDB. */
  readonly uuid: string;
  readonly serverId: number;
  readonly logBin: boolean;
  readonly binlogFormat: string;
  readonly rowMetadata: string;
  readonly rowImage: string;
  /** Of MySQL: `PARTIAL_JSON`, where a changed JSON value may be logged as its difference; else empty. */
  readonly rowValueOptions: string;
  /** What foreign keys change by themselves is in the log: MySQL does it since 9.6, unless InnoDB still does it alone. */
  readonly logsCascades: boolean;
  /** MySQL: `ON`, `OFF` and what is between; MariaDB always has them. */
  readonly gtidMode: string;
  /** How long a commit may be in the log before everybody sees it. */
  readonly settleMs: number;
  /** Of the log: what it lacks from its beginning. MySQL alone. */
  readonly gtidPurged: string;
  /** What the user was granted, a statement each, in capitals. */
  readonly grants: readonly string[];
  /** It copies another server's changes, and does not write them into its own log. */
  readonly copiesUnlogged: boolean;
  /** Databases that the log is limited to, or that it leaves out. */
  readonly logFilters: { readonly only: readonly string[]; readonly not: readonly string[] };
}

type Variables = ReadonlyMap<string, string>;

const VARIABLES = [
  "version",
  "server_id",
  "server_uuid",
  "log_bin",
  "binlog_format",
  "binlog_row_metadata",
  "binlog_row_image",
  "binlog_row_value_options",
  "innodb_native_foreign_keys",
  "gtid_mode",
  "gtid_purged",
  "log_replica_updates",
  "log_slave_updates",
  "rpl_semi_sync_source_timeout",
  "rpl_semi_sync_master_timeout",
];

export async function serverFacts(session: Session, signal: AbortSignal): Promise<ServerFacts> {
  const rows = await session.query<{ Variable_name: string; Value: string }>(
    "SHOW GLOBAL VARIABLES WHERE Variable_name IN (?)",
    [VARIABLES],
    signal,
  );
  const variables: Variables = new Map(rows.map((row) => [row.Variable_name.toLowerCase(), row.Value]));
  const text = (name: string): string => variables.get(name) ?? "";
  const version = text("version");
  const flavour = /mariadb/i.test(version) ? "mariadb" : "mysql";
  const [major, minor] = version.split(".").map((part) => Number.parseInt(part, 10));
  const logBin = text("log_bin") === "ON";
  return {
    flavour,
    version: version.replace(/-.*$/, ""),
    major: major ?? 0,
    minor: minor ?? 0,
    uuid: text("server_uuid"),
    serverId: Number(text("server_id")),
    logBin,
    binlogFormat: text("binlog_format"),
    rowMetadata: text("binlog_row_metadata"),
    rowImage: text("binlog_row_image"),
    rowValueOptions: text("binlog_row_value_options"),
    logsCascades: text("innodb_native_foreign_keys") === "OFF",
    gtidMode: flavour === "mariadb" ? "ON" : text("gtid_mode"),
    settleMs: settleMsOf(rows.filter((row) => /^rpl_semi_sync_.*_timeout$/i.test(row.Variable_name))),
    gtidPurged: text("gtid_purged"),
    grants: await grants(session, signal),
    copiesUnlogged:
      (variables.get("log_replica_updates") ?? text("log_slave_updates")) === "OFF" &&
      (await isReplica(session, flavour, signal)),
    logFilters: await logFilters(session, logBin, signal),
  };
}

async function grants(session: Session, signal: AbortSignal): Promise<readonly string[]> {
  const rows = await session.query<Record<string, string>>("SHOW GRANTS", [], signal);
  return rows.flatMap((row) => Object.values(row)).map((grant) => grant.toUpperCase());
}

/** Of a user who may not know it, no. */
async function isReplica(session: Session, flavour: Flavour, signal: AbortSignal): Promise<boolean> {
  try {
    const sql = flavour === "mysql" ? replicaStatus(session.serverVersion) : "SHOW ALL SLAVES STATUS";
    return (await session.query(sql, [], signal)).length > 0;
  } catch (error) {
    if (error instanceof MillraceError && error.code === "SOURCE_PRIVILEGE") return false;
    throw error;
  }
}

async function logFilters(session: Session, logBin: boolean, signal: AbortSignal): Promise<ServerFacts["logFilters"]> {
  if (!logBin) return { only: [], not: [] };
  let row: Record<string, string> | undefined;
  try {
    [row] = await session.query<Record<string, string>>(binlogStatus(session.serverVersion), [], signal);
  } catch (error) {
    // Without the privilege for it `checkServer` refuses anyway, and says which one it is.
    if (error instanceof MillraceError && error.code === "SOURCE_PRIVILEGE") return { only: [], not: [] };
    throw error;
  }
  const names = (text: string | undefined): readonly string[] =>
    (text ?? "")
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "");
  return { only: names(row?.["Binlog_Do_DB"]), not: names(row?.["Binlog_Ignore_DB"]) };
}

/** Whether every transaction of the log has a GTID: what is between OFF and ON has both kinds. */
export function usesGtids({ gtidMode }: ServerFacts): boolean {
  return gtidMode === "ON";
}

/** Whose log it is: another answer at a later start means another history (design §4). */
export function sourceIdentity(facts: ServerFacts): Json {
  // A replica that takes over has another UUID and the same history, which its GTIDs tell.
  return { flavour: facts.flavour };
}

/** A commit in the log is surely visible by then, unless it waits for a replica. */
const SETTLE_MIN_MS = 30_000;
const SETTLE_MAX_MS = 300_000;

/** How long a commit may be in the log and not visible yet, from the rows of `rpl_semi_sync_%_timeout` (in ms). */
export function settleMsOf(timeouts: readonly Row[]): number {
  return Math.max(SETTLE_MIN_MS, ...timeouts.map((row) => 2 * Number(row["Value"])));
}

const GTIDS_ON =
  "Run `SET PERSIST enforce_gtid_consistency = ON`, then `SET PERSIST gtid_mode = OFF_PERMISSIVE`, `ON_PERMISSIVE` and `ON`, one after the other.";

/** `how` goes on with the GTIDs. */
export function gtidsChanged(how: string): MillraceError {
  return new MillraceError(
    "GTIDS_CHANGED",
    `the server's GTIDs ${how}, and the pipeline's position says nothing there`,
  );
}

const OLDEST = { mysql: [8, 0], mariadb: [10, 6] } as const;

/** Refuses what cannot work, the deepest reason first. */
export function checkServer(username: string, facts: ServerFacts): void {
  checkVersion(facts);
  if (!facts.logBin)
    throw new MillraceError("SOURCE_SETTING", "the server writes no binary log (log_bin is OFF)", {
      hint: "Start the server with `log_bin` (and `server_id`) in its configuration.",
    });
  if (facts.copiesUnlogged) {
    const name = facts.flavour === "mysql" ? "log_replica_updates" : "log_slave_updates";
    throw new MillraceError(
      "SOURCE_SETTING",
      `the server is a replica that does not write into its own log what it copies (${name} is OFF)`,
      { hint: `Start the server with \`${name} = ON\` in its configuration, or use the server that it copies from.` },
    );
  }
  if (facts.binlogFormat !== "ROW")
    throw new MillraceError(
      "SOURCE_SETTING",
      `binlog_format is ${facts.binlogFormat === "" ? "not known here" : facts.binlogFormat}, and change data capture needs ROW`,
      {
        hint: `Run \`SET ${facts.flavour === "mysql" ? "PERSIST" : "GLOBAL"} binlog_format = 'ROW'\`; sessions that are open go on with the old value.`,
      },
    );
  if (!usesGtids(facts) && facts.settleMs > SETTLE_MAX_MS)
    throw new MillraceError(
      "SOURCE_SETTING",
      `gtid_mode is ${facts.gtidMode}, and a commit may wait for a replica so long (rpl_semi_sync_source_timeout) that only GTIDs can tell what a snapshot has`,
      { hint: GTIDS_ON },
    );
  checkPrivileges(username, facts);
}

function checkVersion({ flavour, version, major, minor }: ServerFacts): void {
  const [oldestMajor, oldestMinor] = OLDEST[flavour];
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  throw new MillraceError(
    "SOURCE_VERSION",
    `the source is ${serverName({ flavour, version })}, and ${oldestMajor}.${oldestMinor} is the oldest supported`,
  );
}

export function serverName({ flavour, version }: Pick<ServerFacts, "flavour" | "version">): string {
  return `${flavour === "mysql" ? "MySQL" : "MariaDB"} ${version}`;
}

/** For `plan` and `status`: how the columns of the log's rows are known. Sessions may have a setting of their own. */
export function columnsNamedBy({ rowMetadata }: ServerFacts): string {
  if (rowMetadata === "FULL") return "named by the log (binlog_row_metadata is FULL), beside its statements";
  const setting =
    rowMetadata === "" ? "the server has no binlog_row_metadata" : `binlog_row_metadata is ${rowMetadata}`;
  return `followed through the log's statements (${setting})`;
}

/** What reading the log and its status takes, each with the names that grant it. */
function neededPrivileges({ flavour }: ServerFacts): readonly (readonly [name: string, by: readonly string[]])[] {
  const all = "ALL PRIVILEGES ON *.*";
  if (flavour === "mysql")
    return [
      ["REPLICATION SLAVE", ["REPLICATION SLAVE", all]],
      ["REPLICATION CLIENT", ["REPLICATION CLIENT", all]],
    ];
  return [
    ["REPLICATION SLAVE", ["REPLICATION SLAVE", all]],
    ["BINLOG MONITOR", ["BINLOG MONITOR", "REPLICATION CLIENT", all]],
  ];
}

function isGranted({ grants }: ServerFacts, names: readonly string[]): boolean {
  const everywhere = grants.filter((grant) => grant.includes(" ON *.* "));
  return names.some((words) => everywhere.some((grant) => grant.includes(words)));
}

/** Whether the user may see which transactions go on. */
export function seesTransactions(facts: ServerFacts): boolean {
  return isGranted(facts, ["PROCESS", "ALL PRIVILEGES ON *.*"]);
}

function checkPrivileges(username: string, facts: ServerFacts): void {
  for (const [name, by] of neededPrivileges(facts)) {
    if (!isGranted(facts, by))
      throw new MillraceError("SOURCE_PRIVILEGE", `user ${username} has no ${name}, which reading the log takes`, {
        hint: `Run \`GRANT ${name} ON *.* TO '${username}'@'…'\`.`,
      });
  }
}

/** Whether the log has a database's changes. */
export function logHas({ only, not }: ServerFacts["logFilters"], database: string): boolean {
  return only.length > 0 ? only.includes(database) : !not.includes(database);
}
