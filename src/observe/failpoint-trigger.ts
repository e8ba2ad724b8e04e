import { FAILPOINTS, noFailpoints, type FailpointHook } from "../core/ambient.ts";
import { MillraceError } from "../core/errors.ts";

/**
 * The hook for a setting like `engine.record-stored`, or `snapshot.chunk-read:3` for the third time it is reached: then
 * `die` is called, which ends the process as a power cut would. No setting: a hook that does nothing.
 */
export function failpointTrigger(setting: string | undefined, die: () => void): FailpointHook {
  if (setting === undefined || setting === "") return noFailpoints;
  const match = /^([a-z.-]+)(?::([1-9]\d{0,8}))?$/.exec(setting);
  const failpoint = FAILPOINTS.find((name) => name === match?.[1]);
  if (failpoint === undefined)
    throw new MillraceError("USAGE", `there is no failpoint ${JSON.stringify(setting)}`, {
      hint: `Set MILLRACE_FAILPOINT to one of ${FAILPOINTS.join(", ")}; with \`:3\` behind it for the third time.`,
    });
  let left = Number(match?.[2] ?? 1);
  return (at) => {
    if (at === failpoint && --left === 0) die();
  };
}
