import { Redis } from "ioredis";
import { within } from "./wait-for.ts";

/** What a client needs. No password: the empty one. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly password: string;
}

const ANSWER_DEADLINE_MS = 5_000;

/**
 * Sends one command over a connection of its own, and gives back the answer as ioredis has it: a text, a number, null, or an
 * array of them. Rejects where the server answers with an error, or is not there, or does not answer.
 */
export async function redisCommand<Answer = string>(
  address: RedisAddress,
  name: string,
  ...words: readonly string[]
): Promise<Answer> {
  return await answerTo(address, name, (client) => client.call(name, ...words) as Promise<Answer>);
}

/** The same with words that are no text, and an answer of texts as their bytes. */
export async function redisBytes(
  address: RedisAddress,
  name: string,
  ...words: readonly (string | Buffer)[]
): Promise<readonly Buffer[]> {
  return await answerTo(address, name, (client) => client.callBuffer(name, ...words) as Promise<Buffer[]>);
}

async function answerTo<Answer>(
  { host, port, password }: RedisAddress,
  name: string,
  ask: (client: Redis) => Promise<Answer>,
): Promise<Answer> {
  const client = new Redis({
    host,
    port,
    password,
    lazyConnect: true,
    disableClientInfo: true,
    enableReadyCheck: false,
    retryStrategy: null,
  });
  let failure: Error | null = null;
  client.on("error", (error: Error) => (failure = error));
  try {
    const answer = client.connect().then(() => ask(client));
    return await within(`an answer to ${name}`, answer, ANSWER_DEADLINE_MS);
  } catch (error) {
    // A connection that was refused is to ioredis one that is closed.
    throw failure ?? error;
  } finally {
    client.disconnect();
  }
}
