import { Cluster, Redis, type RedisOptions as ClientOptions } from "ioredis";
import type { Ambient } from "../../core/ambient.ts";
import type { MillraceError } from "../../core/errors.ts";
import { abortable } from "../../flow/abortable.ts";
import { CONNECT_TIMEOUT_MS, placeOptions, reconnectPauseMs, sharedOptions } from "./client-options.ts";
import { redisFailure } from "./failure.ts";
import { redisPlace, type RedisOptions } from "./options.ts";

const COMMAND_TIMEOUT_MS = 10_000;
const PAUSE_MS_MAX = 5_000;
/** A server that is away while nothing is open yet may be one that was never there: then soon an error. */
const ATTEMPTS_BEFORE_OPEN = 3;

/** Commands over one connection, or one for each node. Every command may be sent again: each is made so that this is harmless. */
export type Commands = Redis | Cluster;

/** Whose waiting it is, and who is told of it. */
interface Waiting {
  readonly signal: AbortSignal;
  readonly waiting: (on: string | null) => void;
}

/**
 * A connection that comes back by itself. While a store is open, a command waits for as long as the server is away, says so,
 * and is sent again: its answer may have been lost.
 */
export class RedisConnection {
  readonly place: string;
  readonly #ambient: Ambient;
  readonly #client: Commands;
  /** Of the connection: a command that it took along says no more than that it is closed. */
  #lastError: Error | null = null;

  constructor(options: RedisOptions, ambient: Ambient) {
    this.place = redisPlace(options);
    this.#ambient = ambient;
    this.#client = createClient(options);
    this.#client.on("error", (error: Error) => {
      this.#lastError = error;
      ambient.logger.debug("checkpoint connection", { reason: error.message });
    });
  }

  /** Sends it once. Rejects with this house's errors. */
  async once<T>(signal: AbortSignal, command: (client: Commands) => Promise<T>): Promise<T> {
    try {
      return await abortable(signal, command(this.#client), () => undefined);
    } catch (error) {
      if (signal.aborted) throw error;
      // What was not answered in time would be answered before what is asked next, if ever.
      if (isTimeout(error)) this.#client.disconnect(true);
      throw redisFailure(isClosed(error) ? (this.#lastError ?? error) : error, this.place);
    }
  }

  /** While nothing is open: a few attempts. */
  async first<T>(signal: AbortSignal, command: (client: Commands) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.once(signal, command);
      } catch (error) {
        const failure = this.#passing(error, signal);
        if (failure === null || attempt === ATTEMPTS_BEFORE_OPEN) throw error;
        await this.#pause(attempt, signal);
      }
    }
  }

  /** While a store is open: until it is done, the signal is aborted, or it fails in a way that does not pass. */
  async always<T>({ signal, waiting }: Waiting, command: (client: Commands) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        const result = await this.once(signal, command);
        if (attempt > 1) waiting(null);
        return result;
      } catch (error) {
        const failure = this.#passing(error, signal);
        if (failure === null) throw error;
        if (attempt === 1)
          this.#ambient.logger.warn("waiting for the checkpoint store", {
            code: failure.code,
            reason: failure.message,
          });
        waiting(`the checkpoint store: ${failure.message}`);
        await this.#pause(attempt, signal);
      }
    }
  }

  #passing(error: unknown, signal: AbortSignal): MillraceError | null {
    if (signal.aborted) return null;
    const failure = redisFailure(error, this.place);
    return failure.retry === "timed" ? failure : null;
  }

  async #pause(attempt: number, signal: AbortSignal): Promise<void> {
    await this.#ambient.clock.sleep(Math.min(100 * 2 ** Math.min(attempt, 10), PAUSE_MS_MAX), signal);
  }

  close(): void {
    this.#client.disconnect();
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === "Command timed out";
}

function isClosed(error: unknown): boolean {
  return error instanceof Error && /^(Connection is closed|Reached the max retries)/.test(error.message);
}

function createClient(options: RedisOptions): Commands {
  const client: ClientOptions = {
    ...sharedOptions(options),
    connectionName: "millrace",
    commandTimeout: COMMAND_TIMEOUT_MS,
    lazyConnect: true,
    // A command fails with the connection that it was sent over: whether it is sent again is decided above.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // A server that is loading says so in its answers.
    enableReadyCheck: false,
  };
  const { topology, nodes } = options;
  if (topology.kind === "cluster")
    return new Cluster([...nodes], {
      redisOptions: client,
      lazyConnect: true,
      clusterRetryStrategy: reconnectPauseMs,
      slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
      enableReadyCheck: false,
    });
  return new Redis({ ...client, ...placeOptions(options) });
}
