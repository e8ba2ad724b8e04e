import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConnectionOptions, createConnection } from "mysql2/promise";
import { freePort } from "./free-port.ts";
import { removeLeftovers, serverFolder } from "./leftovers.ts";
import { createDataFolder, MYSQL_PASSWORD, MYSQL_USER } from "./mysql-data-folder.ts";
import { type MysqlFlavour, mysqldProgram } from "./mysql-programs.ts";
import { PROGRAM_ENV } from "./unpacked-program.ts";
import { waitFor, within } from "./wait-for.ts";

/** What a client needs, apart from the database's name. */
export interface MysqlAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

/** By the names that `SHOW VARIABLES` gives them. */
export type MysqlSettings = Readonly<Record<string, string>>;

const START_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 30_000;
const ANSWER_DEADLINE_MS = 5_000;

const SHARED_SETTINGS: MysqlSettings = {
  bind_address: "127.0.0.1",
  skip_name_resolve: "ON",
  max_connections: "200",
  log_bin: "binlog",
  binlog_format: "ROW",
  binlog_row_image: "FULL",
  binlog_row_metadata: "FULL",
  secure_file_priv: "",
  innodb_buffer_pool_size: "64M",
  // A server that is killed keeps what it has written all the same: only a machine that goes down loses it.
  sync_binlog: "0",
  innodb_flush_log_at_trx_commit: "2",
  innodb_doublewrite: "OFF",
};

const SETTINGS: Readonly<Record<MysqlFlavour, MysqlSettings>> = {
  mysql: {
    ...SHARED_SETTINGS,
    server_id: "1",
    gtid_mode: "ON",
    enforce_gtid_consistency: "ON",
    mysqlx: "OFF",
    // Half of the server's memory. Locks and sessions are missing in it then; information_schema.processlist has these.
    performance_schema: "OFF",
    innodb_redo_log_capacity: "64M",
    innodb_flush_method: "nosync",
  },
  mariadb: {
    ...SHARED_SETTINGS,
    server_id: "2",
    gtid_strict_mode: "ON",
    innodb_log_file_size: "64M",
    debug_no_sync: "ON",
  },
};

/**
 * A MySQL or MariaDB server of one's own, in a folder of its own, on a free port of 127.0.0.1. Passwords are asked for.
 * Ended and removed by `await using`.
 */
export class PrivateMysql implements MysqlAddress, AsyncDisposable {
  readonly flavour: MysqlFlavour;
  readonly host: string = "127.0.0.1";
  readonly user: string = MYSQL_USER;
  readonly password: string = MYSQL_PASSWORD;
  readonly port: number;
  readonly dataFolder: string;
  readonly logFile: string;
  readonly #folder: string;
  #settings: MysqlSettings;
  #process: ChildProcess | null = null;
  #exited: Promise<unknown> = Promise.resolve();

  constructor(place: { flavour: MysqlFlavour; folder: string; port: number; settings: MysqlSettings }) {
    this.flavour = place.flavour;
    this.#folder = place.folder;
    this.#settings = place.settings;
    this.port = place.port;
    this.dataFolder = join(place.folder, "data");
    this.logFile = join(place.folder, "server.log");
  }

  /** Of the superuser, for `database`. */
  url(database: string = ""): string {
    return mysqlUrl(this, database);
  }

  async start(): Promise<void> {
    const { command, args } = mysqldProgram(this.flavour, this.dataFolder);
    const log = openSync(this.logFile, "a");
    const child = spawn(command, [...args, ...this.#options()], {
      cwd: this.#folder,
      env: PROGRAM_ENV,
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    this.#process = child;
    this.#exited = once(child, "exit");
    writeFileSync(join(this.#folder, "server.pid"), String(child.pid));
    try {
      await waitFor(`${this.flavour} to answer on port ${this.port}`, () => this.#answers(), START_DEADLINE_MS);
    } catch (error) {
      await this.kill();
      const tail = readFileSync(this.logFile, "utf8").slice(-2000);
      throw new Error(`${this.flavour} did not start; the end of its log ${this.logFile}:\n${tail}`, { cause: error });
    }
  }

  #options(): readonly string[] {
    // MariaDB empties the folder of its temporary tables when it starts, those of another server too.
    const places = { port: String(this.port), socket: "mysql.sock", pid_file: "mysqld.pid", tmpdir: this.#folder };
    const settings = { ...SETTINGS[this.flavour], ...this.#settings, ...places };
    return Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
  }

  /** Rejects where no waiting can help: the process is gone. */
  async #answers(): Promise<boolean> {
    const child = this.#process;
    if (child === null || child.exitCode !== null || child.signalCode !== null) throw new Error("the server has ended");
    try {
      const client = await createConnection({ ...mysqlConfig(this), connectTimeout: ANSWER_DEADLINE_MS });
      client.on("error", () => undefined);
      try {
        await within("an answer", client.query("SELECT 1"), ANSWER_DEADLINE_MS);
        return true;
      } finally {
        client.destroy();
      }
    } catch {
      return false;
    }
  }

  /** Ends all sessions and shuts down in order. */
  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  /** As a crash: `SIGKILL`. The server is one process. */
  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  /** A stop in order and a start; `settings` go over the ones it was started with, and stay. */
  async restart(options: { readonly settings?: MysqlSettings } = {}): Promise<void> {
    await this.stop();
    this.#settings = { ...this.#settings, ...options.settings };
    await this.start();
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child === null) return;
    this.#process = null;
    child.kill(signal);
    try {
      await within(`${this.flavour} to end on ${signal}`, this.#exited, STOP_DEADLINE_MS);
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // In order it would take a second or two, for data that nobody reads again.
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** `settings` go over this file's own. */
export async function startPrivateMysql(options: {
  readonly flavour: MysqlFlavour;
  readonly settings?: MysqlSettings;
}): Promise<PrivateMysql> {
  const { flavour, settings = {} } = options;
  removeLeftovers();
  const folder = mkdtempSync(join(tmpdir(), serverFolder(flavour)));
  const server = new PrivateMysql({ flavour, folder, port: await freePort(), settings });
  try {
    createDataFolder(flavour, server.dataFolder);
    await server.start();
    return server;
  } catch (error) {
    // The log stays: the error names it.
    rmSync(server.dataFolder, { recursive: true, force: true });
    throw error;
  }
}

export function mysqlConfig({ host, port, user, password }: MysqlAddress, database?: string): ConnectionOptions {
  return { host, port, user, password, ...(database === undefined ? {} : { database }) };
}

export function mysqlUrl({ host, port, user, password }: MysqlAddress, database: string): string {
  return `mysql://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${host}:${port}/${encodeURIComponent(database)}`;
}
