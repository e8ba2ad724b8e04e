import type { Socket } from "node:net";
import pg from "pg";
import { MillraceError } from "../../core/errors.ts";
import { abortable } from "../../flow/abortable.ts";
import { answered, silenceMaxMs } from "../../flow/answered.ts";
import { bulkSocket } from "../../flow/bulk-socket.ts";
import { Lazy } from "../../flow/lazy.ts";
import type { PostgresOptions } from "./config.ts";
import { statementError } from "./server-error.ts";

/**
 * Text and keys of values follow these settings, in the walsender as in a SELECT; a role or database that has others
 * would give other bytes. The empty search path makes type names come out qualified. `row_security=off` makes a SELECT
 * that a policy would cut down fail.
 */
const PINNED: Readonly<Record<string, string>> = {
  datestyle: "ISO",
  intervalstyle: "postgres",
  bytea_output: "hex",
  extra_float_digits: "3",
  TimeZone: "UTC",
  lc_monetary: "C",
  client_encoding: "UTF8",
  standard_conforming_strings: "on",
  search_path: "pg_catalog",
  row_security: "off",
  jit: "off",
  // Nothing of ours needs a standby's word, and one that is away would keep us waiting for ever.
  synchronous_commit: "local",
  idle_in_transaction_session_timeout: "0",
  idle_session_timeout: "0",
};

/** PostgreSQL 17 brought it, and older servers let nobody connect with a setting that they do not know. */
export const PIN_TRANSACTION_TIMEOUT =
  "SELECT set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name = 'transaction_timeout'";

const KEEP_ALIVE_MS = 10_000;

/**
 * How long the statements of a connection may take, and may wait for a lock; 0: for ever. The server ends them by then. One
 * that is not heard of for longer is lost.
 */
export interface SessionLimits {
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
}

/** What every connection to the source is made with. */
export function clientConfig(options: PostgresOptions, limits: SessionLimits): pg.ClientConfig {
  const settings = {
    ...PINNED,
    statement_timeout: String(limits.statementTimeoutMs),
    lock_timeout: String(limits.lockTimeoutMs),
  };
  return {
    host: options.hostname,
    port: options.port,
    user: options.username,
    password: options.password,
    database: options.database,
    ssl: options.ssl === "disable" ? false : { rejectUnauthorized: options.ssl === "verify" },
    connectionTimeoutMillis: options.connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    application_name: `millrace ${options.pipeline}`.slice(0, 63),
    options: Object.entries(settings)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(" "),
  };
}

export type Row = Readonly<Record<string, unknown>>;

/** One connection. Once it broke, or was cut by an abort, it is of no further use. */
export class Session implements AsyncDisposable {
  readonly client: pg.Client;
  readonly #options: PostgresOptions;
  readonly #silenceMs: number;
  readonly #prepared = new Set<string>();
  #broken: MillraceError | null = null;
  /** Settles when what was begun last is over. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: PostgresOptions, limits: SessionLimits, client: pg.Client) {
    this.#options = options;
    this.#silenceMs = silenceMaxMs(limits);
    this.client = client;
    client.on("error", (error) => {
      this.#broken ??= statementError(options, error);
    });
    client.on("end", () => {
      this.#broken ??= cutOff("was closed");
    });
  }

  static async open(options: PostgresOptions, limits: SessionLimits, signal: AbortSignal): Promise<Session> {
    signal.throwIfAborted();
    // TLS decrypts into buffers of its own.
    const socket = options.ssl === "disable" ? { stream: bulkSocket } : {};
    const client = new pg.Client({ ...clientConfig(options, limits), ...socket });
    const session = new Session(options, limits, client);
    try {
      await abortable(signal, client.connect(), () => session.destroy());
      await session.query(PIN_TRANSACTION_TIMEOUT, [], signal);
    } catch (error) {
      session.destroy();
      throw signal.aborted ? error : statementError(options, error);
    }
    return session;
  }

  get broken(): boolean {
    return this.#broken !== null;
  }

  /** The rows of one statement. An abort cuts the connection. */
  async query<R extends object>(sql: string, values: readonly unknown[], signal: AbortSignal): Promise<readonly R[]> {
    const result = await this.run(() => this.client.query<R & pg.QueryResultRow>(sql, [...values]), signal);
    return result.rows;
  }

  /** As `query`, for a statement that comes again and again: the server plans it a few times, and not each time. */
  async queryAgain<R extends object>(
    name: string,
    sql: string,
    values: readonly unknown[],
    signal: AbortSignal,
  ): Promise<readonly R[]> {
    const statement = { name, text: sql, values: [...values] };
    return (await this.run(() => this.client.query<R & pg.QueryResultRow>(statement), signal)).rows;
  }

  /** Makes a statement that scripts may EXECUTE by its name; `sql` is what stands behind PREPARE and the name. */
  async prepare(name: string, sql: string, signal: AbortSignal): Promise<void> {
    if (this.#prepared.has(name)) return;
    await this.script(`PREPARE ${name} ${sql}`, signal);
    this.#prepared.add(name);
  }

  /** The rows of each statement of a script, in one round trip. After an error the transaction it began is rolled back. */
  async script(sql: string, signal: AbortSignal): Promise<readonly (readonly Row[])[]> {
    const answer = await this.run(() => this.#scriptOrRollback(sql), signal);
    const results = Array.isArray(answer) ? (answer as pg.QueryResult[]) : [answer as pg.QueryResult];
    return results.map((result) => result.rows as Row[]);
  }

  /** In one turn, so that nothing else runs in a transaction that has failed. */
  async #scriptOrRollback(sql: string): Promise<unknown> {
    try {
      return await this.client.query(sql);
    } catch (error) {
      // Where that fails too, the connection is gone, and the transaction with it.
      if (!this.broken) await this.client.query("ROLLBACK").catch(() => undefined);
      throw error;
    }
  }

  /**
   * Work of `pg` on this connection, its errors as this house's. Callers take turns. An abort cuts the connection under
   * the work, and takes who still waits for a turn out of the queue.
   */
  async run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const before = this.#turn;
    const turn = (async (): Promise<T> => {
      await before;
      signal.throwIfAborted();
      return await abortable(signal, this.#answered(work), () => this.destroy());
    })();
    this.#turn = turn.catch(() => undefined);
    try {
      return await abortable(signal, turn, () => undefined);
    } catch (error) {
      if (signal.aborted) throw error;
      throw statementError(this.#options, error);
    }
  }

  #answered<T>(work: () => Promise<T>): Promise<T> {
    const silent = (): MillraceError => (this.#broken = cutOff(`has been silent for ${this.#silenceMs} ms`));
    return answered(socketOf(this.client), this.#silenceMs, work, silent);
  }

  /** Cuts the connection without a word: the server rolls back, and ends a COPY at its next write. */
  destroy(): void {
    this.#broken ??= cutOff("was cut");
    socketOf(this.client).destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.broken) return this.destroy();
    const ended = this.client.end().catch(() => undefined);
    // Behind what is still to be written; the server's own end may never come, where the network is silent.
    socketOf(this.client).destroySoon();
    await ended;
  }
}

function cutOff(how: string): MillraceError {
  return new MillraceError("SOURCE_CONNECTION_LOST", `the connection to the source ${how}`);
}

/** `pg` keeps its socket out of its types, although its own copy streams live from it. */
export function socketOf(client: pg.Client): Socket {
  return (client as unknown as { connection: { stream: Socket } }).connection.stream;
}

/** A `Lazy` session: statements on it run one after another; an abort takes the connection from all of them. */
export class LazySession extends Lazy<Session> {
  constructor(options: PostgresOptions, limits: SessionLimits) {
    super((signal) => Session.open(options, limits, signal));
  }
}
