import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { z } from "zod";
import type { Ambient } from "../../core/ambient.ts";
import { MillraceError } from "../../core/errors.ts";
import { lives, startOf } from "../process-life.ts";
import { HolderWatch } from "../watch.ts";
import type { RedisConnection } from "./connection.ts";
import { damaged } from "./keys.ts";
import { RELEASE, runScript, TAKE } from "./scripts.ts";

/** A holder that says nothing for so long has it no more: one on another host that died, or cannot reach the server. */
const LEASE_MS = 15_000;
/** How often the lease of a holder is looked at whose life cannot be seen from here. */
const LOOK_MS = 500;
/** Giving it back is a courtesy, too. */
const RELEASE_MS = 2_000;
/** Then it has surely been renewed, or has come to its end. */
const LOOKS_MAX = (2 * LEASE_MS) / LOOK_MS;

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
  #watch: HolderWatch | null = null;

  constructor(key: string, connection: RedisConnection, ambient: Ambient) {
    this.#key = key;
    this.#connection = connection;
    this.#ambient = ambient;
  }

  /** Fails with `CHECKPOINT_LOCKED` where another process has it. What is taken has to be kept (`keep`) within the lease. */
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

  /** Renews the lease in the background until it is given back. */
  keep(takenOver: () => void): void {
    const own = this.#own;
    if (own === null) return;
    const renewed = async (signal: AbortSignal): Promise<boolean> => {
      const [answer] = await this.#connection.once(signal, (client) =>
        runScript(client, TAKE, [this.#key], [own, LEASE_MS, ""]),
      );
      return answer === "taken";
    };
    this.#watch = new HolderWatch(this.#ambient, renewed, takenOver);
  }

  /** Gives it back, where the server can be reached: else the lease ends by itself. */
  async release(): Promise<void> {
    await this.#watch?.[Symbol.asyncDispose]();
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
