import { noFailpoints, type Ambient, type FailpointHook } from "../../src/core/ambient.ts";
import { MillraceError } from "../../src/core/errors.ts";

/** Surroundings for a component that neither logs nor waits on its own. */
export function testAmbient(failpoint: FailpointHook = noFailpoints): Ambient {
  const ignore = (): void => undefined;
  return {
    clock: {
      nowMs: () => Date.now(),
      monotonicMs: () => performance.now(),
      sleep: () => Promise.reject(new MillraceError("INTERNAL", "a test's component wanted to sleep")),
    },
    logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
    failpoint,
  };
}
