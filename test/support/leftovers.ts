import { readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The prefix of a server's folder; the id of the process that started the server follows. */
export const SERVER_FOLDER = "millrace-postgres-";

/** Ends and removes what earlier runs have left behind because they were killed before they could. */
export function removeLeftovers(): void {
  for (const name of readdirSync(tmpdir())) {
    const owner = new RegExp(`^${SERVER_FOLDER}(\\d+)-\\w+$`).exec(name);
    if (owner === null || exists(Number(owner[1]))) continue;
    removeLeftover(join(tmpdir(), name));
  }
}

function removeLeftover(folder: string): void {
  try {
    endServer(join(folder, "data"));
    // The server may take a moment to end, and writes until then.
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  } catch (error) {
    // Another user's, who will find it.
    if (!["EACCES", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function endServer(dataFolder: string): void {
  try {
    const pid = Number(readFileSync(join(dataFolder, "postmaster.pid"), "utf8").split("\n")[0]);
    // The number may belong to somebody else by now: only a server of that very folder is ended.
    if (readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(dataFolder)) process.kill(pid, "SIGQUIT");
  } catch (error) {
    if (!["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}
