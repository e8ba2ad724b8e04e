import { createHash } from "node:crypto";
import { z } from "zod";
import type { MysqlOptions } from "../sources/mysql/config.ts";
import { section, type Section } from "./section.ts";
import { sourceKeys, sourceSettings } from "./source-keys.ts";
import type { MysqlSpec } from "./spec.ts";
import { binlogStartup, binlogStartupIssue, binlogStartupKeys } from "./startup-keys.ts";
import { tableList } from "./table-list.ts";
import { durationMs, flag, integer, secret, text } from "./value.ts";

const SERVER_ID_MAX = 4_294_967_295;

const options = z.strictObject({
  type: z
    .literal("mysql", "`mysql`")
    .meta({ description: "A MySQL server, version 8.0 or later, or MariaDB, 10.6 or later, as the source." }),
  hostname: text("The server's host name or address, or the path of its Unix socket: `/run/mysqld/mysqld.sock`."),
  port: integer(1, 65_535, "The server's port.").prefault("3306"),
  username: text(
    "The user to log in as. It needs REPLICATION SLAVE and REPLICATION CLIENT (on MariaDB: BINLOG MONITOR), and SELECT on the tables.",
  ),
  password: secret("The user's password. Take it from the environment: `${MYSQL_PWD}`."),
  tables: tableList(
    "database.table",
    "The tables to deliver: patterns `database.table`, separated by commas or as a list. A part is a regular expression in which `\\.` is the dot: `shop.\\.*` is every table of the database `shop`.",
  ),
  "tables.exclude": tableList(
    "database.table",
    "Tables to leave out although `tables` matches them, in the same form.",
  ).optional(),
  "server-id": integer(
    1,
    SERVER_ID_MAX,
    "What the pipeline calls itself as a replica; no other replica of the server may have the same. Default: made of the pipeline's name.",
  ).optional(),
  "scan.parse.online.schema.changes.enabled": flag(
    "Whether a table that gh-ost or pt-online-schema-change alters is followed when its copy takes its place. The tools' own tables are then left out, unless `tables` has one by its very name.",
  ).prefault("true"),
  "treat-tinyint1-as-boolean.enabled": flag(
    "Whether `tinyint(1)` is a boolean, as most applications mean it, or a number.",
  ).prefault("true"),
  "heartbeat.interval": durationMs(
    1000,
    3_600_000,
    "from 1s to 1h",
    "How often it is looked whether the log that is read is still the server's own: one that was reset says nothing by itself. The position of a quiet log moves without it.",
  ).prefault("30s"),
  ...binlogStartupKeys,
  ...sourceKeys,
});

const keys = options.superRefine((given, context) => {
  const issue = binlogStartupIssue(given);
  if (issue === null) return;
  const { key, message } = issue;
  context.addIssue({ code: "custom", path: [key], message, params: { complete: true } });
});

/** Options of Flink CDC's MySQL connector without a counterpart yet. */
const NOT_YET = [
  "name",
  "chunk-meta.group.size",
  "chunk-key.even-distribution.factor.lower-bound",
  "chunk-key.even-distribution.factor.upper-bound",
  "connection.pool.size",
  "include-comments.enabled",
  "jdbc.properties",
  "metadata.list",
  "scan.binlog.newly-added-table.enabled",
  "scan.incremental.close-idle-reader.enabled",
  "scan.incremental.snapshot.backfill.skip",
  "scan.incremental.snapshot.unbounded-chunk-first.enabled",
  "scan.newly-added-table.enabled",
  "scan.snapshot.fetch.size",
  "scan.startup.specific-offset.skip-events",
  "scan.startup.specific-offset.skip-rows",
  "schema-change.enabled",
  "server-time-zone",
  "use.legacy.json.format",
];

/** The source section of type `mysql`. */
export const mysqlSource: Section<MysqlSpec> = section(keys, NOT_YET, (options, context): MysqlSpec => ({
  type: "mysql",
  hostname: options.hostname,
  port: options.port,
  username: options.username,
  password: options.password,
  tables: options.tables,
  tablesExclude: options["tables.exclude"] ?? [],
  serverId: options["server-id"] ?? serverIdOf(context.pipeline),
  onlineSchemaChanges: options["scan.parse.online.schema.changes.enabled"],
  tinyint1AsBoolean: options["treat-tinyint1-as-boolean.enabled"],
  heartbeatIntervalMs: options["heartbeat.interval"],
  ...sourceSettings(options, binlogStartup(options)),
}));

/** The same for a pipeline at every start, and far from the small numbers that people give their servers. */
function serverIdOf(pipeline: string): number {
  return (createHash("sha256").update(pipeline).digest().readUInt32BE(0) | 0x8000_0000) >>> 0;
}

/** The connector's options, the password among them. */
export function mysqlOptions(spec: MysqlSpec, pipeline: string): MysqlOptions {
  const { hostname, port, username, ssl, tables, tablesExclude, serverId, onlineSchemaChanges, tinyint1AsBoolean } =
    spec;
  const { startup, heartbeatIntervalMs, connectTimeoutMs, lockTimeoutMs } = spec;
  return {
    pipeline,
    hostname,
    port,
    username,
    password: spec.password.reveal(),
    ssl,
    tables,
    tablesExclude,
    serverId,
    onlineSchemaChanges,
    tinyint1AsBoolean,
    startup,
    heartbeatIntervalMs,
    connectTimeoutMs,
    lockTimeoutMs,
  };
}
