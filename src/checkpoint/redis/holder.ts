import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { z } from "zod";
import type { Ambient } from "../../core/ambient.ts";
import { MillraceError } from "../../core/errors.ts";
import { lives, startOf } from "../process-life.ts";
import type { RedisConnection } from "./connection.ts";
import { damaged } from "./keys.ts";
import { RELEASE, runScript, TAKE } from "./scripts.ts";

/** A holder that says nothing for so long has it no more: one on another host that died, or cannot reach the server. */
const LEASE_MS = 15_000;
const RENEW_MS = 5_000;
/** How often the lease of a holder is looked at whose life cannot be seen from here. */
const LOOK_MS = 500;
/** Giving it back is a courtesy, too. */
const RELEASE_MS = 2_000;
/** Then it has surely been renewed, or has come to its end. */
const LOOKS_MAX = (LEASE_MS + 2 * RENEW_MS) / LOOK_MS;

const holderSchema = z.object({
  id: z.string(),
  pid: z.int().positive(),
  host: z.string(),
  /** See `startOf`. */
  started: z.string().nullable(),
});
type HolderContent = z.infer<typeof holderSchema>;

/**
 * Who has a pipeline's store open. It keeps two runs from getting in each other's way and no more: a holder that the server
 * has forgotten, or that sleeps past its lease, is found out by its token.
 */
export class Holder {
  readonly #key: string;
  readonly #connection: RedisConnection;
  readonly #ambient: Ambient;
  #own: string | null = null;
  #renewing: AbortController | null = null;
  #renewals: Promise<void> = Promise.resolve();

  constructor(key: string, connection: RedisConnection, ambient: Ambient) {
    this.#key = key;
    this.#connection = connection;
    this.#ambient = ambient;
  }

  /** Fails with `CHECKPOINT_LOCKED` where another process has it. */
  async take(takeOver: boolean, signal: AbortSignal, waiting: (on: string | null) => void): Promise<void> {
    const { pid } = this.#ambient;
    const content: HolderContent = { id: randomUUID(), pid, host: hostname(), started: await startOf(pid) };
    const own = JSON.stringify(content);
    let aside = takeOver ? "*" : "";
    let leaseLeftMs = Number.POSITIVE_INFINITY;
    for (let look = 0; look <= LOOKS_MAX; look++) {
      const [answer, holder = "", leftMs = "0"] = await this.#connection.first(signal, (client) =>
        runScript(client, TAKE, [this.#key], [own, LEASE_MS, aside]),
      );
      if (answer === "taken") {
        if (look > 0) waiting(null);
        this.#own = own;
        this.#renew(own);
        return;
      }
      const other = decodeHolder(holder, this.#key);
      if (other.host === hostname()) {
        if (await lives(other.pid, other.started)) throw this.#locked(`process ${other.pid} has`);
        // It died before it could give the store back.
        aside = holder;
        continue;
      }
      if (Number(leftMs) > leaseLeftMs) throw this.#locked(`process ${other.pid} on host ${other.host} has`);
      leaseLeftMs = Number(leftMs);
      waiting(`the lease of process ${other.pid} on host ${other.host}, which ends unless it is renewed`);
      await this.#ambient.clock.sleep(LOOK_MS, signal);
    }
    throw this.#locked("other processes take and leave");
  }

  #locked(who: string): MillraceError {
    return new MillraceError("CHECKPOINT_LOCKED", `${who} the checkpoint in ${this.#connection.place}`);
  }

  /** In the background, for as long as the store is open: what fails is tried again, and the token decides. */
  #renew(own: string): void {
    const ended = new AbortController();
    this.#renewing = ended;
    const { clock, logger } = this.#ambient;
    const renew = async (): Promise<void> => {
      while (!ended.signal.aborted) {
        await clock.sleep(RENEW_MS, ended.signal);
        const [answer] = await this.#connection.once(ended.signal, (client) =>
          runScript(client, TAKE, [this.#key], [own, LEASE_MS, ""]),
        );
        if (answer === "taken") continue;
        logger.warn("another process has taken the checkpoint over");
        return;
      }
    };
    const again = async (): Promise<void> => {
      while (!ended.signal.aborted) {
        try {
          return await renew();
        } catch (error) {
          if (!ended.signal.aborted) logger.debug("the lease was not renewed", { reason: String(error) });
        }
      }
    };
    this.#renewals = again();
  }

  /** Gives it back, where the server can be reached: else the lease ends by itself. */
  async release(): Promise<void> {
    this.#renewing?.abort(new Error("the checkpoint store is closed"));
    await this.#renewals;
    const own = this.#own;
    this.#own = null;
    if (own === null) return;
    try {
      await this.#connection.once(AbortSignal.timeout(RELEASE_MS), (client) =>
        runScript(client, RELEASE, [this.#key], [own]),
      );
    } catch (error) {
      this.#ambient.logger.debug("the lease was not given back", { reason: String(error) });
    }
  }
}

function decodeHolder(text: string, key: string): HolderContent {
  try {
    return holderSchema.parse(JSON.parse(text));
  } catch {
    throw damaged(key, "it does not say who has the checkpoint");
  }
}
