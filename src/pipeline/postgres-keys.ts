import { createHash } from "node:crypto";
import { z } from "zod";
import type { PostgresOptions } from "../sources/postgres/config.ts";
import { section, type Section } from "./section.ts";
import { sourceKeys, sourceSettings } from "./source-keys.ts";
import type { PostgresSpec } from "./spec.ts";
import { postgresStartupKeys } from "./startup-keys.ts";
import { tableList, tablesOfOneDatabase } from "./table-list.ts";
import { integer, secret, text, word } from "./value.ts";

const POSTGRES_NAME = "a PostgreSQL name: lower-case letters, digits and underscores, at most 63";

const keys = z.strictObject({
  type: z
    .literal("postgres", "`postgres`")
    .meta({ description: "A PostgreSQL server, version 14 or later, as the source." }),
  hostname: text("The server's host name or address, or the folder of its Unix socket."),
  port: integer(1, 65_535, "The server's port.").prefault("5432"),
  username: text("The role to log in as. It needs REPLICATION, and SELECT on the tables."),
  password: secret("The role's password. Take it from the environment: `${PGPASSWORD}`."),
  tables: tablesOfOneDatabase(
    "The tables to deliver: patterns `database.schema.table`, separated by commas or as a list. A part is a regular expression in which `\\.` is the dot: `shop.public.\\.*` is every table of the schema `public` in the database `shop`.",
  ),
  "tables.exclude": tableList(
    "database.schema.table",
    "Tables to leave out although `tables` matches them, in the same form.",
  ).optional(),
  "slot.name": word(
    /^[a-z0-9_]{1,63}$/,
    POSTGRES_NAME,
    "The replication slot. Made when it is absent, and taken away by `millrace drop`. Default: `millrace_` and the pipeline's name.",
  ).optional(),
  "publication.name": word(
    /^[a-z_][a-z0-9_]{0,62}$/,
    POSTGRES_NAME,
    "The publication. Made when it is absent, and taken away by `millrace drop`. Default: `millrace_` and the pipeline's name.",
  ).optional(),
  "decoding.plugin.name": z
    .literal("pgoutput", "`pgoutput`")
    .optional()
    .meta({ description: "Always `pgoutput`, which every PostgreSQL server has." }),
  ...postgresStartupKeys,
  ...sourceKeys,
});

/** Options of Flink CDC's PostgreSQL connector without a counterpart yet. */
const NOT_YET = [
  "name",
  "chunk-meta.group.size",
  "chunk-key.even-distribution.factor.lower-bound",
  "chunk-key.even-distribution.factor.upper-bound",
  "connection.pool.size",
  "heartbeat.interval",
  "include-comments.enabled",
  "jdbc.properties",
  "metadata.list",
  "scan.incremental.close-idle-reader.enabled",
  "scan.incremental.snapshot.backfill.skip",
  "scan.incremental.snapshot.unbounded-chunk-first.enabled",
  "scan.lsn-commit.checkpoints-num-delay",
  "scan.newly-added-table.enabled",
  "scan.snapshot.fetch.size",
  "schema-change.enabled",
  "server-time-zone",
  "table-id.include-database",
];

/** The source section of type `postgres`. */
export const postgresSource: Section<PostgresSpec> = section(keys, NOT_YET, (options, context): PostgresSpec => ({
  type: "postgres",
  hostname: options.hostname,
  port: options.port,
  username: options.username,
  password: options.password,
  database: options.tables.database,
  tables: options.tables.patterns,
  tablesExclude: options["tables.exclude"] ?? [],
  slotName: options["slot.name"] ?? postgresName(context.pipeline),
  publicationName: options["publication.name"] ?? postgresName(context.pipeline),
  ...sourceSettings(options, options["scan.startup.mode"]),
}));

const NAME_LENGTH_MAX = 63;

/**
 * `millrace_<pipeline>`. Where the pipeline's name is no PostgreSQL name as it stands, a piece of its hash makes sure
 * that two pipelines never share a slot: `Shop A` and `shop_a` are two.
 */
export function postgresName(pipeline: string): string {
  const whole = `millrace_${pipeline}`;
  if (/^[a-z0-9_]+$/.test(whole) && whole.length <= NAME_LENGTH_MAX) return whole;
  const hash = createHash("sha256").update(pipeline).digest("hex").slice(0, 8);
  const plain = whole.toLowerCase().replaceAll(/[^a-z0-9_]+/g, "_");
  return `${plain.slice(0, NAME_LENGTH_MAX - 9)}_${hash}`;
}

/** The connector's options, the password among them. */
export function postgresOptions(spec: PostgresSpec, pipeline: string): PostgresOptions {
  const { hostname, port, username, database, ssl, tables, tablesExclude } = spec;
  const { slotName, publicationName, connectTimeoutMs, lockTimeoutMs } = spec;
  return {
    pipeline,
    hostname,
    port,
    username,
    password: spec.password.reveal(),
    database,
    ssl,
    tables,
    tablesExclude,
    slotName,
    publicationName,
    connectTimeoutMs,
    lockTimeoutMs,
  };
}
