import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.ts";
import { removeLeftovers, serverFolder } from "./leftovers.ts";
import { isFrozen } from "./process-tree.ts";
import { type RedisAddress, redisCommand } from "./redis-command.ts";
import { type RedisKind, redisServerProgram } from "./redis-programs.ts";
import { PROGRAM_ENV } from "./unpacked-program.ts";
import { waitFor, within } from "./wait-for.ts";

/** A sentinel watches servers, and makes a replica the master where the master is gone. */
type RedisMode = "server" | "sentinel";

export interface PrivateRedisOptions {
  readonly kind: RedisKind;
  /** Asked of clients, and given to the server that this one copies. */
  readonly password?: string;
  readonly mode?: RedisMode;
  /** Lines of redis.conf, by their first words; values are as they stand there. */
  readonly config?: Readonly<Record<string, string>>;
}

const START_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 30_000;

const CONFIG: Readonly<Record<RedisMode, Readonly<Record<string, string>>>> = {
  server: {
    save: '""',
    appendonly: "no",
    // It waits five seconds for more replicas otherwise, before it lets one copy.
    "repl-diskless-sync-delay": "0",
  },
  sentinel: {},
};

/**
 * A Redis or Valkey of one's own, in a folder of its own, on a free port of 127.0.0.1. It keeps nothing unless its config says
 * so. Ended and removed by `await using`.
 */
export class PrivateRedis implements RedisAddress, AsyncDisposable {
  readonly kind: RedisKind;
  readonly host: string = "127.0.0.1";
  readonly port: number;
  readonly password: string;
  readonly #mode: RedisMode;
  readonly #folder: string;
  #process: ChildProcess | null = null;
  #exited: Promise<unknown> = Promise.resolve();

  constructor(options: PrivateRedisOptions, place: { readonly folder: string; readonly port: number }) {
    this.kind = options.kind;
    this.password = options.password ?? "";
    this.port = place.port;
    this.#mode = options.mode ?? "server";
    this.#folder = place.folder;
    mkdirSync(this.#dataFolder);
    writeFileSync(this.#configFile, this.#config(options.config ?? {}));
  }

  get url(): string {
    const password = this.password === "" ? "" : `:${encodeURIComponent(this.password)}@`;
    return `redis://${password}${this.host}:${this.port}`;
  }

  get #dataFolder(): string {
    return join(this.#folder, "data");
  }

  /** A sentinel writes into it what it knows, and a server what a sentinel has made of it: it is the same at the next start. */
  get #configFile(): string {
    return join(this.#dataFolder, "redis.conf");
  }

  #config(own: Readonly<Record<string, string>>): string {
    const password = JSON.stringify(this.password);
    const lines = {
      bind: this.host,
      port: String(this.port),
      dir: this.#dataFolder,
      // Its command line stays what it was, by which a server is known that an earlier run has left behind.
      "set-proc-title": "no",
      ...(this.password === "" ? {} : { requirepass: password }),
      ...(this.password === "" || this.#mode === "sentinel" ? {} : { masterauth: password }),
      ...CONFIG[this.#mode],
      ...own,
    };
    return Object.entries(lines)
      .map(([name, value]) => `${name} ${value}\n`)
      .join("");
  }

  /** Also behind `stop` and `kill`, over the same data. */
  async start(): Promise<void> {
    const { command, args } = redisServerProgram(this.kind);
    const mode = this.#mode === "sentinel" ? ["--sentinel"] : [];
    const logFile = join(this.#folder, "server.log");
    const log = openSync(logFile, "a");
    const child = spawn(command, [...args, this.#configFile, ...mode], {
      cwd: this.#folder,
      env: PROGRAM_ENV,
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    this.#process = child;
    this.#exited = once(child, "exit");
    writeFileSync(join(this.#folder, "server.pid"), String(child.pid));
    try {
      await waitFor(`${this.kind} to answer on port ${this.port}`, () => this.#answers(), START_DEADLINE_MS);
    } catch (error) {
      await this.kill();
      const tail = readFileSync(logFile, "utf8").slice(-2000);
      throw new Error(`${this.kind} did not start; the end of its log ${logFile}:\n${tail}`, { cause: error });
    }
  }

  /** Rejects where no waiting can help: the process is gone. While it reads its data it answers with an error. */
  async #answers(): Promise<boolean> {
    const child = this.#process;
    if (child === null || child.exitCode !== null || child.signalCode !== null) throw new Error("the server has ended");
    return this.command("PING").then(
      () => true,
      () => false,
    );
  }

  /** Sent over a connection of its own: see `redisCommand`. */
  command<Answer = string>(name: string, ...words: readonly string[]): Promise<Answer> {
    return redisCommand<Answer>(this, name, ...words);
  }

  /** Shuts down in order. */
  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  /** As a crash: `SIGKILL`. The server is one process. */
  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  /** Connections stay open, and new ones are taken; nothing is answered until `resume`. */
  async pause(): Promise<void> {
    const child = this.#process;
    if (child?.pid === undefined) throw new Error("the server does not run");
    const { pid } = child;
    child.kill("SIGSTOP");
    await waitFor("the server to stand still", () => isFrozen(pid));
  }

  /** Ends a pause; what was sent meanwhile is answered. */
  resume(): void {
    this.#process?.kill("SIGCONT");
  }

  /** From now on this is a replica of `master`. Resolves when it has a copy of what is there. */
  async replicateOf(master: RedisAddress): Promise<void> {
    await this.command("REPLICAOF", master.host, String(master.port));
    const inSync = async (): Promise<boolean> =>
      (await this.command("INFO", "replication")).includes("master_link_status:up");
    await waitFor(`a replica of port ${master.port}`, inSync);
  }

  /** From now on this stands for itself, with the data that it has. */
  async promote(): Promise<void> {
    await this.command("REPLICAOF", "NO", "ONE");
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child === null) return;
    this.#process = null;
    child.kill(signal);
    try {
      await within(`${this.kind} to end on ${signal}`, this.#exited, STOP_DEADLINE_MS);
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** `await using server = await startPrivateRedis({ kind: "valkey" })`. */
export async function startPrivateRedis(options: PrivateRedisOptions): Promise<PrivateRedis> {
  removeLeftovers();
  const folder = mkdtempSync(join(tmpdir(), serverFolder("redis")));
  const server = new PrivateRedis(options, { folder, port: await freePort() });
  await server.start();
  return server;
}
