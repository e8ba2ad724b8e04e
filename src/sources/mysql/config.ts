import type { Startup } from "../../core/startup.ts";
import type { TablePattern } from "../../core/table-pattern.ts";

/** `verify`: TLS, with the server's certificate checked against the system's authorities; `require`: TLS unchecked. */
export type SslMode = "disable" | "require" | "verify";

/**
 * The MySQL source's options, normalised: the pipeline room parses them, everything here trusts them. Plain data, since
 * chunk readers get it in worker threads. The same for MariaDB: which of the two it is, the server says.
 */
export interface MysqlOptions {
  /** The pipeline's name: connections carry it. */
  readonly pipeline: string;
  /** A name, an address, or the path of a Unix socket; then `port` is not used. */
  readonly hostname: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly ssl: SslMode;
  /** `schema` of a pattern is the database; `database` is not used. */
  readonly tables: readonly TablePattern[];
  readonly tablesExclude: readonly TablePattern[];
  /** What we call ourselves as a replica; no other replica of the server may have the same. */
  readonly serverId: number;
  /** Tables that gh-ost and pt-online-schema-change make are left out, and followed when they take a table's place. */
  readonly onlineSchemaChanges: boolean;
  /** `tinyint(1)` is a boolean. */
  readonly tinyint1AsBoolean: boolean;
  readonly startup: Startup;
  /** How often it is looked whether the log that is read is still the server's. */
  readonly heartbeatIntervalMs: number;
  readonly connectTimeoutMs: number;
  /** The longest that any statement of ours waits for a metadata lock on a table (law 5). */
  readonly lockTimeoutMs: number;
}

export function isSocketPath({ hostname }: Pick<MysqlOptions, "hostname">): boolean {
  return hostname.startsWith("/");
}

/** For messages. */
export function serverAddress(options: Pick<MysqlOptions, "hostname" | "port">): string {
  return isSocketPath(options) ? options.hostname : `${options.hostname}:${options.port}`;
}
