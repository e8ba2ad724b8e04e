import { z } from "zod";
import type { StoredEpochs } from "../../core/checkpoint-store.ts";
import { MillraceError } from "../../core/errors.ts";
import type { Json } from "../../core/json.ts";
import type { CommittedRecord } from "../../core/record.ts";

/** The version of what scripts.ts describes. A newer one is refused; an older one is brought here by the first `reset`. */
export const FORMAT = 1;

/** The names of a pipeline's keys. A pipeline's name has no braces, so the whole of it is the tag that puts them into one slot. */
export class KeyNames {
  readonly #prefix: string;

  constructor(pipeline: string) {
    this.#prefix = `millrace:{${pipeline}}:`;
  }

  get head(): string {
    return `${this.#prefix}head`;
  }

  get holder(): string {
    return `${this.#prefix}holder`;
  }

  parts(generation: string): string {
    return `${this.#prefix}parts:${generation}`;
  }

  undo(generation: string): string {
    return `${this.#prefix}undo:${generation}`;
  }

  staged(write: string): string {
    return `${this.#prefix}staged:${write}`;
  }
}

type Fields = Readonly<Record<string, string>>;

/** The hash `head`. The epoch and the token before are those that `undo` leads back to; null before the first epoch. */
interface Head {
  readonly token: number;
  readonly epoch: number;
  readonly generation: string;
  readonly parts: number;
  readonly "before-epoch": number | null;
  readonly "before-token": number | null;
}

const count = z.string().regex(/^\d+$/).transform(Number);
const optionalCount = z.union([z.literal("").transform(() => null), count]);
const headSchema: z.ZodType<Head> = z.object({
  token: count,
  epoch: count,
  generation: z.string(),
  parts: count,
  "before-epoch": optionalCount,
  "before-token": optionalCount,
});

/** Null: there is no such key. */
export function decodeHead(fields: Fields, key: string): Head | null {
  const { format } = fields;
  if (Object.keys(fields).length === 0) return null;
  if (format !== undefined && /^\d+$/.test(format) && Number(format) > FORMAT)
    throw new MillraceError(
      "CHECKPOINT_NEWER_FORMAT",
      `${key} in Redis has format version ${format}, and this Millrace knows versions up to ${FORMAT}`,
    );
  const parsed = headSchema.safeParse(fields);
  if (!parsed.success || format !== String(FORMAT)) throw damaged(key, "it is not what Millrace writes");
  return parsed.data;
}

/** What a store's three hashes hold together. */
export function decodeEpochs(head: Head, parts: Fields, undo: Fields, key: string): StoredEpochs {
  const found = Object.keys(parts).length;
  if (found !== head.parts)
    throw damaged(key, `${found} of ${head.parts} parts are left (a server that evicts keys can hold no checkpoint)`);
  const newest: CommittedRecord = { epoch: head.epoch, token: head.token, parts: decodeParts(parts, key) };
  const [epoch, token] = [head["before-epoch"], head["before-token"]];
  if (epoch === null || token === null) return { confirmed: null, newest };
  const before = new Map(newest.parts);
  for (const [part, value] of Object.entries(undo)) {
    if (value === "-") before.delete(part);
    else before.set(part, decodeValue(value.slice(1), key));
  }
  return { confirmed: { epoch, token, parts: before }, newest };
}

function decodeParts(parts: Fields, key: string): Map<string, Json> {
  return new Map(Object.entries(parts).map(([part, value]) => [part, decodeValue(value, key)]));
}

function decodeValue(text: string, key: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw damaged(key, "a part of it is no JSON");
  }
}

export function damaged(key: string, why: string): MillraceError {
  return new MillraceError("CHECKPOINT_DAMAGED", `the checkpoint under ${key} in Redis is damaged: ${why}`);
}
