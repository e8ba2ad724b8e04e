import { readFile } from "node:fs/promises";
import { getPriority } from "node:os";

type ProcessFacts =
  | { readonly kind: "running"; readonly started: string }
  | { readonly kind: "ended" }
  | { readonly kind: "hidden" };

/**
 * The boot and the start time of a process, which tell it from a later one that got the same id (in a container every
 * start has the same one). Null where the system does not say.
 */
export async function startOf(pid: number): Promise<string | null> {
  const facts = await lookUp(pid);
  return facts.kind === "running" ? facts.started : null;
}

/** Whether the process that had this id, and this `startOf` then, is still there. */
export async function lives(pid: number, started: string | null): Promise<boolean> {
  const facts = await lookUp(pid);
  switch (facts.kind) {
    case "ended":
      return false;
    case "running":
      return started === null || started === facts.started;
    case "hidden":
      return hasPriority(pid);
  }
}

/**
 * From proc(5): the state is the first field behind the command's name in parentheses, the start time the 20th. `hidden`:
 * there is no such process, or no /proc, or it does not show other users' processes.
 */
async function lookUp(pid: number): Promise<ProcessFacts> {
  try {
    const boot = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return { kind: "ended" };
    return fields[19] === undefined ? { kind: "hidden" } : { kind: "running", started: `${boot}/${fields[19]}` };
  } catch {
    return { kind: "hidden" };
  }
}

/** Asking for a priority needs no permission, and fails for a process that does not exist. */
function hasPriority(pid: number): boolean {
  try {
    getPriority(pid);
    return true;
  } catch {
    return false;
  }
}
