import type { Ambient } from "../core/ambient.ts";
import { failpointTrigger } from "../observe/failpoint-trigger.ts";
import { jsonLogger, plainLogger, type LineSink, type LogLevel } from "../observe/logger.ts";
import { systemClock } from "../observe/system-clock.ts";
import type { Surroundings } from "./surroundings.ts";

export type LogFormat = "plain" | "json";

/** Clock, logger and failpoints of this process, for the rooms below. */
export function commandAmbient(
  log: { readonly level: LogLevel; readonly format: LogFormat; readonly sink: LineSink },
  surroundings: Surroundings,
): Ambient {
  const logger =
    log.format === "json"
      ? jsonLogger(log.level, log.sink)
      : plainLogger(log.level, log.sink, () => systemClock.nowMs());
  const failpoint = failpointTrigger(surroundings.environment["MILLRACE_FAILPOINT"], (name) =>
    surroundings.signalItself(name),
  );
  const residentBytes = (): number => surroundings.residentBytes();
  return { pid: surroundings.pid, residentBytes, clock: systemClock, logger, failpoint };
}

/** For the commands that answer a question: what they have to say beside it goes to stderr. */
export function quietAmbient(surroundings: Surroundings): Ambient {
  return commandAmbient({ level: "warn", format: "plain", sink: surroundings.err }, surroundings);
}
