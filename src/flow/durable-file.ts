import { mkdir, open } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/** The error code that Node gives a failed call of the file system: `ENOENT`. Failures come out of here as they are. */
export function systemCode(error: unknown): string | null {
  const code = error instanceof Error && "code" in error ? error.code : null;
  return typeof code === "string" ? code : null;
}

/** Writes and fsyncs, without care for what was there. */
export async function writeSynced(path: string, content: Uint8Array | string): Promise<void> {
  await using file = await open(path, "w");
  await file.writeFile(content);
  await file.sync();
}

/** Makes what is in a file durable, or the names, renames and removals in a folder. */
export async function syncPath(path: string): Promise<void> {
  await using handle = await open(path, "r");
  await handle.sync();
}

/** The folder with all above it, durable where it had to be made. */
export async function makeFolder(folder: string): Promise<void> {
  const path = resolve(folder);
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length && made !== dirname(made); made = dirname(made))
    await syncPath(dirname(made));
}
