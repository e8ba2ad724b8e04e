import { MillraceError } from "../../core/errors.ts";
import type { Json } from "../../core/json.ts";
import { quoteIdentifier } from "../../core/table-schema.ts";
import type { PostgresOptions } from "./config.ts";
import type { Session } from "./connection.ts";

/** The oldest server that is tested. */
const VERSION_MIN = 140_000;

/** Roles by which hosted servers hand out what elsewhere needs an attribute of the role. */
const HOSTED_REPLICATION = [
  "rds_replication",
  "rds_superuser",
  "cloudsqlsuperuser",
  "azure_pg_admin",
  "alloydbsuperuser",
];

/** What the server is, how it is set up, and what we may do there. */
export interface ServerFacts {
  readonly versionNumber: number;
  readonly version: string;
  readonly standby: boolean;
  readonly walLevel: string;
  readonly encoding: string;
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly superuser: boolean;
  readonly mayReplicate: boolean;
  readonly mayCreate: boolean;
  readonly slotsMax: number;
  readonly slotsUsed: number;
  readonly slotExists: boolean;
  readonly sendersMax: number;
  readonly sendersUsed: number;
  /** `max_slot_wal_keep_size`, as the server prints it; `-1`: no limit. */
  readonly walKeepMax: string;
  readonly slotIdle: string | null;
}

const FACTS = `
  SELECT json_build_object(
    'versionNumber', current_setting('server_version_num')::int,
    'version', split_part(current_setting('server_version'), ' ', 1),
    'standby', pg_is_in_recovery(),
    'walLevel', current_setting('wal_level'),
    'encoding', current_setting('server_encoding'),
    'systemIdentifier', (SELECT system_identifier::text FROM pg_control_system()),
    'timeline', CASE WHEN pg_is_in_recovery() THEN 0
      ELSE ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int END,
    'superuser', me.rolsuper,
    'mayReplicate', me.rolsuper OR me.rolreplication OR EXISTS (
      SELECT 1 FROM pg_roles role WHERE role.rolname = ANY($1::text[]) AND pg_has_role(role.oid, 'MEMBER')),
    'mayCreate', has_database_privilege(current_database(), 'CREATE'),
    'slotsMax', current_setting('max_replication_slots')::int,
    'slotsUsed', (SELECT count(*) FROM pg_replication_slots),
    'slotExists', EXISTS (SELECT 1 FROM pg_replication_slots WHERE slot_name = $2),
    'sendersMax', current_setting('max_wal_senders')::int,
    'sendersUsed', (SELECT count(*) FROM pg_stat_replication),
    'walKeepMax', current_setting('max_slot_wal_keep_size'),
    'slotIdle', nullif(current_setting('idle_replication_slot_timeout', true), '0')) AS facts
  FROM pg_roles me WHERE me.rolname = current_user`;

export async function serverFacts(
  options: PostgresOptions,
  session: Session,
  signal: AbortSignal,
): Promise<ServerFacts> {
  const rows = await session.query<{ facts: ServerFacts }>(FACTS, [HOSTED_REPLICATION, options.slotName], signal);
  return rows[0]!.facts;
}

/** Whose log it is: another answer at a later start means another history (design §4). */
export function sourceIdentity(options: PostgresOptions, facts: ServerFacts): Json {
  const { systemIdentifier, timeline } = facts;
  return { systemIdentifier, timeline, database: options.database, slot: options.slotName };
}

/** Refuses what cannot work, the deepest reason first. */
export function checkServer(options: PostgresOptions, facts: ServerFacts): void {
  if (facts.versionNumber < VERSION_MIN)
    throw new MillraceError(
      "SOURCE_VERSION",
      `the source is PostgreSQL ${facts.version}, and 14 is the oldest supported`,
    );
  if (facts.standby)
    throw new MillraceError(
      "SOURCE_STANDBY",
      "the source is a standby, whose snapshots cannot be placed in the log exactly",
    );
  if (facts.walLevel !== "logical")
    throw new MillraceError("SOURCE_SETTING", `wal_level is ${facts.walLevel}, and change data capture needs logical`, {
      hint: "Run `ALTER SYSTEM SET wal_level = 'logical'` and restart the server (hosted: rds.logical_replication, cloudsql.logical_decoding).",
    });
  if (facts.encoding === "SQL_ASCII")
    throw new MillraceError("SOURCE_SETTING", "the database's encoding is SQL_ASCII: its text has no known encoding", {
      hint: "Move the data to a database made with `CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`.",
    });
  const user = quoteIdentifier(options.username);
  if (!facts.mayReplicate)
    throw new MillraceError("SOURCE_PRIVILEGE", `user ${options.username} may not read the log`, {
      hint: `Run \`ALTER ROLE ${user} REPLICATION\` as a superuser (Amazon RDS: \`GRANT rds_replication TO ${user}\`).`,
    });
  checkLimits(facts);
}

function checkLimits(facts: ServerFacts): void {
  if (facts.slotExists) return;
  if (facts.slotsUsed >= facts.slotsMax) throw limitError("replication slots", "max_replication_slots", facts.slotsMax);
  if (facts.sendersUsed >= facts.sendersMax) throw limitError("WAL senders", "max_wal_senders", facts.sendersMax);
}

function limitError(what: string, setting: string, max: number): MillraceError {
  return new MillraceError("SOURCE_SETTING", `all ${max} ${what} of the server are in use`, {
    hint: `Run \`ALTER SYSTEM SET ${setting} = ${max + 4}\` and restart the server, or drop a slot nobody reads any more (\`SELECT * FROM pg_replication_slots\`).`,
  });
}

export function serverNotes(facts: ServerFacts): readonly string[] {
  const notes = [
    facts.walKeepMax === "-1"
      ? "max_slot_wal_keep_size is -1: while the pipeline is stopped the server keeps WAL for it without a limit"
      : `max_slot_wal_keep_size is ${facts.walKeepMax}: a pipeline that is further behind loses its slot, and begins anew`,
  ];
  if (facts.slotIdle !== null)
    notes.push(`idle_replication_slot_timeout is ${facts.slotIdle}: a pipeline stopped for longer loses its slot`);
  return notes;
}
