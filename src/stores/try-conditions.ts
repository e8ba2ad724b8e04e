import { randomUUID } from "node:crypto";
import { MillraceError } from "../core/errors.ts";
import type { ObjectStore, PutCondition, StoreAbilities } from "./object-store.ts";

/**
 * What a store makes of conditions, tried under a key of its own: some servers refuse to know them, and others write without
 * a look at them, which is worse. Also the proof that this user may write and delete.
 */
export async function tryConditions(store: ObjectStore, signal: AbortSignal): Promise<StoreAbilities> {
  const key = `.millrace-trial-${randomUUID()}`;
  let written = 0;
  /** Another content each time, for another tag. */
  const put = (condition: PutCondition | null): ReturnType<ObjectStore["put"]> =>
    store.put(key, Buffer.from(String(++written)), condition, signal);
  const before = await put(null);
  try {
    if (String(Buffer.from((await store.get(key, null, signal)) ?? [])) !== String(written)) throw forgetful(store);
    const conditionalPut = (await outcome(put({ kind: "absent" }))) === "refused";
    const same: PutCondition = { kind: "same", tag: before.tag };
    const replaced = conditionalPut ? await outcome(put(same)) : "unsupported";
    const conditionalReplace = replaced === "written" && (await outcome(put(same))) === "refused";
    return { conditionalPut, conditionalReplace };
  } finally {
    // Where `signal` is aborted too: nobody else would take it away.
    await store.delete([key], new AbortController().signal);
  }
}

function forgetful({ place }: ObjectStore): MillraceError {
  return new MillraceError("STORE_FAILED", `what is written to ${place} does not come back`, {
    place: { file: place },
  });
}

async function outcome(put: Promise<unknown>): Promise<"written" | "refused" | "unsupported"> {
  try {
    await put;
    return "written";
  } catch (error) {
    if (error instanceof MillraceError && error.code === "STORE_CONDITION") return "refused";
    if (error instanceof MillraceError && error.code === "STORE_UNSUPPORTED") return "unsupported";
    throw error;
  }
}
