import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { freePort } from "./free-port.ts";
import { removeLeftovers, serverFolder } from "./leftovers.ts";
import { postgresBinFolder, type PostgresVersion, type ServerUser, serverUser } from "./postgres-binaries.ts";
import { childrenOf, isAlive } from "./process-tree.ts";
import { waitFor, within } from "./wait-for.ts";

/** What a client needs, apart from the database's name. */
export interface PostgresAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

export type PostgresSettings = Readonly<Record<string, string>>;

const START_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 30_000;

const SETTINGS: PostgresSettings = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  wal_level: "logical",
  max_replication_slots: "64",
  max_wal_senders: "64",
  max_connections: "200",
  max_prepared_transactions: "10",
  shared_buffers: "64MB",
  max_wal_size: "1GB",
  // A server that is killed keeps what it has written all the same: only a machine that goes down loses it.
  fsync: "off",
  log_line_prefix: "%m [%p] %d ",
  log_timezone: "UTC",
};

/**
 * A PostgreSQL server of one's own, in a folder of its own, on a free port of 127.0.0.1. Passwords are asked for. Ended
 * and removed by `await using`.
 */
export class PrivatePostgres implements PostgresAddress, AsyncDisposable {
  readonly host: string = "127.0.0.1";
  readonly user: string = "postgres";
  readonly password: string = "a test's own secret";
  readonly port: number;
  readonly dataFolder: string;
  readonly logFile: string;
  readonly #folder: string;
  readonly #bin: string;
  readonly #runAs: ServerUser;
  #settings: PostgresSettings;
  #process: ChildProcess | null = null;
  #exited: Promise<unknown> = Promise.resolve();

  constructor(place: { bin: string; folder: string; runAs: ServerUser; port: number; settings: PostgresSettings }) {
    this.#bin = place.bin;
    this.#folder = place.folder;
    this.#runAs = place.runAs;
    this.#settings = place.settings;
    this.port = place.port;
    this.dataFolder = join(place.folder, "data");
    this.logFile = join(place.folder, "server.log");
  }

  /** Of the superuser, for `database`. */
  url(database: string = "postgres"): string {
    return postgresUrl(this, database);
  }

  async start(): Promise<void> {
    const settings = Object.entries({ ...SETTINGS, ...this.#settings }).flatMap(([name, value]) => [
      "-c",
      `${name}=${value}`,
    ]);
    const log = openSync(this.logFile, "a");
    const child = spawn(join(this.#bin, "postgres"), ["-D", this.dataFolder, "-p", String(this.port), ...settings], {
      ...this.#runAs,
      cwd: this.#folder,
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    this.#process = child;
    this.#exited = once(child, "exit");
    try {
      await waitFor(`PostgreSQL to answer on port ${this.port}`, () => this.#answers(), START_DEADLINE_MS);
    } catch (error) {
      await this.kill();
      const tail = readFileSync(this.logFile, "utf8").slice(-2000);
      throw new Error(`PostgreSQL did not start; the end of its log ${this.logFile}:\n${tail}`, { cause: error });
    }
  }

  /** Rejects where no waiting can help: the process is gone. */
  async #answers(): Promise<boolean> {
    const child = this.#process;
    if (child === null || child.exitCode !== null || child.signalCode !== null) throw new Error("the server has ended");
    const client = new pg.Client({ ...clientConfig(this, "postgres"), connectionTimeoutMillis: 5_000 });
    client.on("error", () => undefined);
    try {
      await client.connect();
      return true;
    } catch {
      return false;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  /** Ends all sessions and shuts down in order (`pg_ctl stop -m fast`). */
  stop(): Promise<void> {
    return this.#end("SIGINT");
  }

  /** As a crash: `SIGKILL` for the server and each of its processes. */
  async kill(): Promise<void> {
    const children = childrenOf(this.#process?.pid ?? -1);
    await this.#end("SIGKILL");
    // They notice by themselves, but a little later, and until then the folder cannot be started from again.
    for (const pid of children) if (isAlive(pid)) process.kill(pid, "SIGKILL");
    await waitFor("the server's processes to end", () => !children.some(isAlive), STOP_DEADLINE_MS);
  }

  /** A stop in order and a start; `settings` go over the ones it was started with, and stay. */
  async restart(options: { readonly settings?: PostgresSettings } = {}): Promise<void> {
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
      await within(`PostgreSQL to end on ${signal}`, this.#exited, STOP_DEADLINE_MS);
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** `settings` go over this file's own; `version` is the newest unless said. */
export async function startPrivatePostgres(
  options: { readonly version?: PostgresVersion; readonly settings?: PostgresSettings } = {},
): Promise<PrivatePostgres> {
  removeLeftovers();
  const runAs = serverUser();
  const bin = postgresBinFolder(options.version ?? "newest", runAs);
  const folder = mkdtempSync(join(tmpdir(), serverFolder("postgres")));
  chmodSync(folder, 0o755);
  if (runAs.uid !== undefined) chownSync(folder, runAs.uid, runAs.gid ?? runAs.uid);
  const server = new PrivatePostgres({ bin, folder, runAs, port: await freePort(), settings: options.settings ?? {} });
  try {
    initialise(server, bin, folder, runAs);
    await server.start();
    return server;
  } catch (error) {
    // The log stays: the error names it.
    rmSync(server.dataFolder, { recursive: true, force: true });
    throw error;
  }
}

function initialise(server: PrivatePostgres, bin: string, folder: string, runAs: ServerUser): void {
  const passwordFile = join(folder, "password");
  writeFileSync(passwordFile, server.password, { mode: 0o644 });
  execFileSync(
    join(bin, "initdb"),
    [
      `--pgdata=${server.dataFolder}`,
      `--username=${server.user}`,
      `--pwfile=${passwordFile}`,
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      // The one locale that every machine has; tests that need another order use an ICU collation.
      "--locale=C",
      "--no-sync",
    ],
    { ...runAs, cwd: folder, stdio: "pipe", env: { PATH: "/usr/bin:/bin", TZ: "UTC" } },
  );
}

export function clientConfig(address: PostgresAddress, database: string): pg.ClientConfig {
  const { host, port, user, password } = address;
  return { host, port, user, password, database };
}

export function postgresUrl(address: PostgresAddress, database: string): string {
  const { host, port, user, password } = address;
  return `postgres://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${host}:${port}/${encodeURIComponent(database)}`;
}
