import type { TablePattern } from "../../core/table-pattern.ts";

/** `verify`: TLS, with the server's certificate checked against the system's authorities; `require`: TLS unchecked. */
export type SslMode = "disable" | "require" | "verify";

/**
 * The PostgreSQL source's options, normalised: the pipeline room parses them, everything here trusts them. Plain data,
 * since chunk readers get it in worker threads.
 */
export interface PostgresOptions {
  /** The pipeline's name: it marks the publication that was made for it. */
  readonly pipeline: string;
  readonly hostname: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly database: string;
  readonly ssl: SslMode;
  readonly tables: readonly TablePattern[];
  readonly tablesExclude: readonly TablePattern[];
  readonly slotName: string;
  readonly publicationName: string;
  readonly connectTimeoutMs: number;
  /** The longest that any statement of ours waits for a table lock (law 5). */
  readonly lockTimeoutMs: number;
}
