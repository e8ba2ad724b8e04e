import { FAILPOINTS, noFailpoints, type FailpointHook } from "../core/ambient.ts";
import { MillraceError } from "../core/errors.ts";

/** What the process gets at a failpoint: an end as by a power cut, a request to stop in good order, or frost until SIGCONT. */
export type FailpointSignal = "SIGKILL" | "SIGTERM" | "SIGSTOP";

/**
 * The hook for a setting like `engine.record-stored`, or `snapshot.chunk-read:3` for the third time it is reached: then
 * `signal` sends the process SIGKILL, or another one: `snapshot.chunk-read:3=SIGTERM`, `=SIGSTOP`. No setting: a hook that does
 * nothing.
 */
export function failpointTrigger(setting: string | undefined, signal: (name: FailpointSignal) => void): FailpointHook {
  if (setting === undefined || setting === "") return noFailpoints;
  const match = /^([a-z.-]+)(?::([1-9]\d{0,8}))?(?:=(SIGKILL|SIGTERM|SIGSTOP))?$/.exec(setting);
  const failpoint = FAILPOINTS.find((name) => name === match?.[1]);
  if (failpoint === undefined)
    throw new MillraceError("USAGE", `there is no failpoint ${JSON.stringify(setting)}`, {
      hint: `Set MILLRACE_FAILPOINT to one of ${FAILPOINTS.join(", ")}; with \`:3\` behind it for the third time, and \`=SIGTERM\` to be stopped, or \`=SIGSTOP\` to be frozen, and not killed.`,
    });
  const name = (match?.[3] ?? "SIGKILL") as FailpointSignal;
  let left = Number(match?.[2] ?? 1);
  return (at) => {
    if (at === failpoint && --left === 0) signal(name);
  };
}
