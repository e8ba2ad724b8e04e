import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/** A server's own client, as it is called. */
export interface ClientCall {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Where what it prints goes: to us, or nowhere. */
  readonly output: "kept" | "dropped";
}

/** Ends with what the program printed, where that is kept; rejects, with its complaint, where it failed. */
export async function runClient({ command, args, env, output }: ClientCall): Promise<string> {
  const child: ChildProcess = spawn(command, [...args], {
    env,
    stdio: ["ignore", output === "kept" ? "pipe" : "ignore", "pipe"],
  });
  let printed = "";
  let complaint = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (printed += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (complaint += text));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${complaint.trim()}`);
  return printed;
}

/** Seconds that something takes. */
export async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return (performance.now() - begin) / 1000;
}
