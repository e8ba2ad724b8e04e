import { readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

type ServerKind = "postgres" | "mysql" | "mariadb" | "s3" | "redis";

/** How a server is found in its folder, and what ends it there and then: PostgreSQL's takes its other processes along. */
const ENDS: Readonly<Record<ServerKind, { readonly pidFile: string; readonly signal: NodeJS.Signals }>> = {
  postgres: { pidFile: join("data", "postmaster.pid"), signal: "SIGQUIT" },
  mysql: { pidFile: "server.pid", signal: "SIGKILL" },
  mariadb: { pidFile: "server.pid", signal: "SIGKILL" },
  s3: { pidFile: "server.pid", signal: "SIGKILL" },
  redis: { pidFile: "server.pid", signal: "SIGKILL" },
};

/** The beginning of a server's folder's name: it says which process has started the server. */
export function serverFolder(kind: ServerKind, owner: number = process.pid): string {
  return `millrace-${kind}-${owner}-`;
}

/** Ends and removes what earlier runs have left behind because they were killed before they could. */
export function removeLeftovers(): void {
  for (const name of readdirSync(tmpdir())) {
    const owner = new RegExp(`^millrace-(${Object.keys(ENDS).join("|")})-(\\d+)-\\w+$`).exec(name);
    if (owner === null || exists(Number(owner[2]))) continue;
    removeLeftover(owner[1] as ServerKind, join(tmpdir(), name));
  }
}

function removeLeftover(kind: ServerKind, folder: string): void {
  try {
    endServer(kind, folder);
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

function endServer(kind: ServerKind, folder: string): void {
  const { pidFile, signal } = ENDS[kind];
  try {
    const pid = Number(readFileSync(join(folder, pidFile), "utf8").split("\n")[0]);
    // The number may belong to somebody else by now: only a server of that very folder is ended.
    if (readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(join(folder, "data"))) process.kill(pid, signal);
  } catch (error) {
    if (!["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}
