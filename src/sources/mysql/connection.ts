import type { Socket } from "node:net";
import { createConnection, type Connection, type ConnectionOptions } from "mysql2";
import { MillraceError } from "../../core/errors.ts";
import { abortable } from "../../flow/abortable.ts";
import { answered, silenceMaxMs } from "../../flow/answered.ts";
import { bulkSocket } from "../../flow/bulk-socket.ts";
import { Lazy } from "../../flow/lazy.ts";
import { isSocketPath, type MysqlOptions } from "./config.ts";
import type { Flavour } from "./position.ts";
import { statementError } from "./server-error.ts";

const KEEP_ALIVE_MS = 10_000;
/** The longest that both servers let a lock be waited for. */
const LOCK_WAIT_MAX_S = 31_536_000;

/**
 * Text and keys of values follow these settings; a server or user with others would give other ones. No word of
 * `sql_mode` changes how a stored value is printed, a CHAR without its padding included; backslashes escape in literals,
 * and a date that does not exist may be compared with, since it may be a key.
 */
const PINNED: Readonly<Record<string, string>> = {
  time_zone: "'+00:00'",
  sql_mode: "'ALLOW_INVALID_DATES'",
  autocommit: "1",
  sql_select_limit: "18446744073709551615",
  sql_big_selects: "1",
  group_concat_max_len: "16777216",
  // A reader that is kept waiting by what comes after it keeps the server waiting.
  net_write_timeout: "3600",
  wait_timeout: "28800",
};

/**
 * How long the statements of a connection may take, and may wait for a lock; 0: for ever. The server ends them by then. One
 * that is not heard of for longer is lost.
 */
export interface SessionLimits {
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
}

/** One script for both servers: each reads its own part out of comments that the other passes over. */
function sessionSettings({ statementTimeoutMs, lockTimeoutMs }: SessionLimits): string {
  const lockWaitS = lockTimeoutMs === 0 ? LOCK_WAIT_MAX_S : Math.max(1, Math.ceil(lockTimeoutMs / 1000));
  const settings = { ...PINNED, lock_wait_timeout: String(lockWaitS), innodb_lock_wait_timeout: String(lockWaitS) };
  const shared = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  const mysql = `max_execution_time = ${statementTimeoutMs}, information_schema_stats_expiry = 0, range_optimizer_max_mem_size = 0`;
  // Else the catalog keeps silent about a primary key that the server made by itself.
  const since80030 = "show_gipk_in_create_table_and_information_schema = ON";
  // Between two statements a transaction is idle for as long as we are busy.
  const idle = ["idle_transaction_timeout", "idle_readonly_transaction_timeout"].map((name) => `${name} = 0`);
  const mariadb = [`max_statement_time = ${statementTimeoutMs / 1000}`, ...idle].join(", ");
  const names = "SET NAMES utf8mb4 COLLATE utf8mb4_bin";
  return `SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; ${names}, ${shared.join(", ")} /*!80000 , ${mysql} */ /*!80030 , ${since80030} */ /*M! , ${mariadb} */`;
}

/** What every connection to the source is made with. */
function clientConfig(options: MysqlOptions): ConnectionOptions {
  const { hostname: host, port, username: user, password } = options;
  return {
    host,
    port,
    user,
    password,
    ...transport(options),
    charset: "UTF8MB4_BIN",
    connectTimeout: options.connectTimeoutMs,
    enableKeepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_MS,
    connectAttributes: { program_name: `millrace ${options.pipeline}`.slice(0, 63) },
    multipleStatements: true,
    // No file of ours for a server that asks for one; and a statement's packet is its text and nothing else.
    flags: ["-LOCAL_FILES", "-CLIENT_QUERY_ATTRIBUTES", "-SESSION_TRACK", "-IGNORE_SPACE"],
    supportBigNumbers: true,
    bigNumberStrings: true,
    dateStrings: true,
    jsonStrings: true,
    timezone: "Z",
  };
}

function transport(options: MysqlOptions): ConnectionOptions {
  const { ssl, hostname, port } = options;
  // By its path mysql2 knows that a password is safe on it.
  const path = isSocketPath(options) ? { socketPath: hostname } : {};
  if (ssl === "require") return { ...path, ssl: { rejectUnauthorized: false } };
  if (ssl === "verify") return { ...path, ssl: { rejectUnauthorized: true, verifyIdentity: true } };
  // TLS decrypts into buffers of its own; a socket that is given is not set up by mysql2.
  const stream = (): Socket => {
    const socket = bulkSocket();
    if (isSocketPath(options)) return socket.connect(hostname);
    return socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS).connect(port, hostname);
  };
  return { ...path, stream };
}

export type Row = Readonly<Record<string, unknown>>;

/** What mysql2 keeps out of its types (3.24.6). */
interface ConnectionInternals {
  readonly stream: Socket;
  readonly _handshakePacket: { readonly serverVersion: string };
}

/** One connection. Once it broke, or was cut by an abort, it is of no further use. */
export class Session implements AsyncDisposable {
  readonly connection: Connection;
  readonly #options: MysqlOptions;
  readonly #silenceMs: number;
  #broken: MillraceError | null = null;
  /** Settles when what was begun last is over. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: MysqlOptions, limits: SessionLimits, connection: Connection) {
    this.#options = options;
    this.#silenceMs = silenceMaxMs(limits);
    this.connection = connection;
    connection.on("error", (error) => {
      this.#broken ??= statementError(options, error);
    });
    connection.on("end", () => {
      this.#broken ??= cutOff("was closed");
    });
  }

  static async open(options: MysqlOptions, limits: SessionLimits, signal: AbortSignal): Promise<Session> {
    signal.throwIfAborted();
    const connection = createConnection(clientConfig(options));
    const session = new Session(options, limits, connection);
    try {
      const connecting = called<unknown>((done) => connection.connect(done));
      await abortable(signal, connecting, () => session.destroy());
      await session.script(sessionSettings(limits), signal);
    } catch (error) {
      session.destroy();
      throw signal.aborted ? error : statementError(options, error);
    }
    return session;
  }

  /** What broke under a statement is known to that statement, and else to the socket alone. */
  get broken(): boolean {
    return this.#broken !== null || socketOf(this.connection).destroyed;
  }

  get flavour(): Flavour {
    return /mariadb/i.test(this.serverVersion) ? "mariadb" : "mysql";
  }

  /** As the server greets: `9.7.0`, `11.8.2-MariaDB-log`. */
  get serverVersion(): string {
    const { _handshakePacket: handshake } = internals(this.connection);
    return handshake.serverVersion;
  }

  /** The rows of one statement; `?` in it stands for values, which are quoted here. An abort cuts the connection. */
  async query<R extends object>(sql: string, values: readonly unknown[], signal: AbortSignal): Promise<readonly R[]> {
    const answer = await this.run(() => this.#ask(sql, values), signal);
    return rowsOf(answer) as readonly R[];
  }

  /** The rows of each statement of a script, in one round trip. After an error the transaction it began is rolled back. */
  async script(sql: string, signal: AbortSignal): Promise<readonly (readonly Row[])[]> {
    const answer = await this.run(() => this.#askOrRollBack(sql), signal);
    return (answer as unknown[]).map(rowsOf);
  }

  #ask(sql: string, values: readonly unknown[]): Promise<unknown> {
    return called<unknown>((done) => this.connection.query(sql, [...values], done));
  }

  /** In one turn, so that nothing else runs in a transaction that has failed. */
  async #askOrRollBack(sql: string): Promise<unknown> {
    try {
      return await this.#ask(sql, []);
    } catch (error) {
      // Where that fails too, the connection is gone, and the transaction with it.
      if (!this.broken) await this.#ask("ROLLBACK", []).catch(() => undefined);
      throw error;
    }
  }

  /**
   * Work of mysql2 on this connection, its errors as this house's. Callers take turns. An abort cuts the connection under
   * the work, and takes who still waits for a turn out of the queue.
   */
  async run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const before = this.#turn;
    const turn = (async (): Promise<T> => {
      await before;
      signal.throwIfAborted();
      if (this.broken) throw this.#broken ?? cutOff("broke");
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
    return answered(socketOf(this.connection), this.#silenceMs, work, silent);
  }

  /** Cuts the connection without a word: the server rolls back, and ends a SELECT at its next write. */
  destroy(): void {
    this.#broken ??= cutOff("was cut");
    // Not mysql2's own `destroy`, which leaves its commands waiting.
    socketOf(this.connection).destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.broken) return this.destroy();
    this.#broken = cutOff("was ended");
    await called<unknown>((done) => this.connection.end(done)).catch(() => undefined);
    socketOf(this.connection).destroySoon();
  }
}

function cutOff(how: string): MillraceError {
  return new MillraceError("SOURCE_CONNECTION_LOST", `the connection to the source ${how}`);
}

function internals(connection: Connection): ConnectionInternals {
  return connection as unknown as ConnectionInternals;
}

/** The one that carries the packets: with TLS, the socket inside of it. */
function socketOf(connection: Connection): Socket {
  return internals(connection).stream;
}

/** Of a statement that has none, mysql2 gives one object. */
function rowsOf(result: unknown): readonly Row[] {
  return Array.isArray(result) ? (result as Row[]) : [];
}

function called<T>(call: (done: (error: Error | null | undefined, result?: unknown) => void) => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, result) => {
      if (error === null || error === undefined) resolve(result as T);
      else reject(error);
    });
  });
}

/** A `Lazy` session: statements on it run one after another; an abort takes the connection from all of them. */
export class LazySession extends Lazy<Session> {
  constructor(options: MysqlOptions, limits: SessionLimits) {
    super((signal) => Session.open(options, limits, signal));
  }
}
