import { readdirSync, readFileSync } from "node:fs";

interface ProcessStat {
  readonly pid: number;
  readonly state: string;
  readonly parent: number;
}

/** Children of `pid` that have not ended. On a system without /proc: none are known. */
export function childrenOf(pid: number): readonly number[] {
  return numbersInProc()
    .map(stat)
    .filter((found): found is ProcessStat => found !== null)
    .filter(({ parent, state }) => parent === pid && state !== "Z")
    .map((found) => found.pid);
}

/** A process that has ended and that nobody has collected counts as ended. */
export function isAlive(pid: number): boolean {
  const found = stat(pid);
  return found !== null && found.state !== "Z";
}

/** All threads stand still, until SIGCONT. */
export function isFrozen(pid: number): boolean {
  return stat(pid)?.state === "T";
}

function numbersInProc(): readonly number[] {
  try {
    return readdirSync("/proc").map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
}

function stat(pid: number): ProcessStat | null {
  try {
    // The second field is the program's name in brackets, and may hold anything.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return { pid, state: fields[0] ?? "", parent: Number(fields[1]) };
  } catch {
    return null;
  }
}
