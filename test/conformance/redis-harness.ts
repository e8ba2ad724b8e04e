import type { RedisOptions } from "../../src/checkpoint/redis/options.ts";
import { createRedisStore } from "../../src/checkpoint/redis/store.ts";
import type { Ambient } from "../../src/core/ambient.ts";
import type { CheckpointStore, StoredEpochs } from "../../src/core/checkpoint-store.ts";
import type { RedisAddress } from "../support/redis-command.ts";
import { waitFor } from "../support/wait-for.ts";
import { opening, PIPELINE, quietAmbient } from "./checkpoint.ts";

/** How a store gets to a test's server. */
export function optionsOf({ host, port, password }: RedisAddress, change: Partial<RedisOptions> = {}): RedisOptions {
  return {
    topology: { kind: "server" },
    nodes: [{ host, port }],
    tls: false,
    database: 0,
    username: null,
    password: password === "" ? null : password,
    ...change,
  };
}

export function storeAt(address: RedisAddress, ambient: Ambient = quietAmbient()): CheckpointStore {
  return createRedisStore(optionsOf(address), PIPELINE, ambient);
}

/** What is there, beside whoever has it. */
export async function readAt(address: RedisAddress): Promise<StoredEpochs | null> {
  await using store = storeAt(address);
  return await store.read(opening().signal);
}

/** What a call said that it waits for, until it went on. */
export class Waits {
  readonly said: (string | null)[] = [];
  readonly waiting = (on: string | null): void => void this.said.push(on);

  async untilSaid(word: string): Promise<void> {
    await waitFor(`it to wait for ${word}`, () => this.said.some((on) => on?.includes(word)));
  }
}
