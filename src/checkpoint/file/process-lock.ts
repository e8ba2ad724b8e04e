import { randomUUID } from "node:crypto";
import { link, readdir, readFile, rename, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { MillraceError } from "../../core/errors.ts";
import { systemCode, writeSynced } from "../../flow/durable-file.ts";
import { UNFINISHED } from "./durable-file.ts";
import { fileFailure } from "./failure.ts";
import { lives, startOf } from "../process-life.ts";

/** A folder that this process alone has. */
export interface ProcessLock {
  /** False: another process has taken it over. */
  isHeld(): Promise<boolean>;
  release(): Promise<void>;
}

const ownerSchema = z.strictObject({
  pid: z.int().positive(),
  host: z.string(),
  /** See `startOf`. */
  started: z.string().nullable(),
});
const lockSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("held"), owner: ownerSchema }),
  z.strictObject({ kind: z.literal("free") }),
]);
type LockContent = z.infer<typeof lockSchema>;

const LOCK_NAME = /^lock-(\d+)$/;
const ATTEMPTS_MAX = 10;

/**
 * Takes the folder for the process `pid`, or fails with `CHECKPOINT_LOCKED` where a living one has it. The lock of a
 * process that died is taken over; with `takeOver` that of any.
 *
 * Locks are numbered files, and the highest number counts. Whoever wants the folder makes the next number, which only
 * one can, and the highest is never removed but marked as free: so of several that find the same dead owner one wins,
 * and none can remove a lock that came after it looked.
 */
export async function takeLock(folder: string, pid: number, takeOver: boolean): Promise<ProcessLock> {
  const content: LockContent = { kind: "held", owner: { pid, host: hostname(), started: await startOf(pid) } };
  try {
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      const highest = (await lockNumbers(folder)).at(-1) ?? 0;
      if (highest > 0 && !takeOver) await refuseIfHeld(folder, highest);
      const lock = await tryNumber(folder, highest + 1, content);
      if (lock !== null) return lock;
    }
  } catch (error) {
    throw fileFailure(error, folder);
  }
  throw new MillraceError("CHECKPOINT_LOCKED", `several processes are trying to take the checkpoint folder ${folder}`);
}

async function lockNumbers(folder: string): Promise<number[]> {
  const numbers = (await readdir(folder)).flatMap((name) => LOCK_NAME.exec(name)?.slice(1).map(Number) ?? []);
  return numbers.sort((a, b) => a - b);
}

/** Null: somebody else was faster. */
async function tryNumber(folder: string, number: number, content: LockContent): Promise<ProcessLock | null> {
  const path = lockPath(folder, number);
  if (!(await place(path, content, link))) return null;
  const numbers = await lockNumbers(folder);
  if (numbers.at(-1) !== number) {
    await rm(path, { force: true });
    return null;
  }
  for (const older of numbers) if (older < number) await rm(lockPath(folder, older), { force: true });
  const isHeld = async (): Promise<boolean> => {
    try {
      return (await lockNumbers(folder)).at(-1) === number;
    } catch (error) {
      throw fileFailure(error, folder);
    }
  };
  return {
    isHeld,
    release: async () => {
      // A higher number is another's.
      if (!(await isHeld())) return;
      try {
        await place(path, { kind: "free" }, rename);
      } catch (error) {
        throw fileFailure(error, path);
      }
    },
  };
}

function lockPath(folder: string, number: number): string {
  return join(folder, `lock-${number}`);
}

/** Puts a whole file at `path`, by `link` where nothing may be there yet. False: something was, or the folder went away. */
async function place(path: string, content: LockContent, how: typeof link | typeof rename): Promise<boolean> {
  const unfinished = `${path}-${randomUUID()}${UNFINISHED}`;
  try {
    await writeSynced(unfinished, `${JSON.stringify(content)}\n`);
    await how(unfinished, path);
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST" || systemCode(error) === "ENOENT") return false;
    throw error;
  } finally {
    await rm(unfinished, { force: true });
  }
}

async function refuseIfHeld(folder: string, number: number): Promise<void> {
  const path = lockPath(folder, number);
  const lock = await readLock(path);
  if (lock === null || lock.kind === "free") return;
  const { pid, host } = lock.owner;
  if (host !== hostname())
    throw new MillraceError(
      "CHECKPOINT_LOCKED",
      `process ${pid} on host ${host} has the checkpoint folder ${folder}, and from here nobody can see whether it lives`,
      { hint: `If it is gone, delete ${path}.`, place: { file: path } },
    );
  if (await lives(pid, lock.owner.started))
    throw new MillraceError("CHECKPOINT_LOCKED", `process ${pid} has the checkpoint folder ${folder}`, {
      hint: `Stop process ${pid}, or give this pipeline another name.`,
      place: { file: path },
    });
}

/** Null: it went away meanwhile, because a higher number came. */
async function readLock(path: string): Promise<LockContent | null> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return null;
    throw error;
  }
  const parsed = lockSchema.safeParse(jsonOrNull(text));
  if (parsed.success) return parsed.data;
  throw new MillraceError("CHECKPOINT_LOCKED", `the lock file ${path} cannot be read`, {
    hint: `If no other process runs this pipeline, delete ${path}.`,
    place: { file: path },
  });
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
