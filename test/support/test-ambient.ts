import { noFailpoints, type Ambient } from "../../src/core/ambient.ts";
import { systemClock } from "../../src/observe/system-clock.ts";

const ignore = (): void => undefined;

/** Surroundings that log nothing and never fail; a test changes what it is about. */
export function testAmbient(change: Partial<Ambient> = {}): Ambient {
  return {
    pid: process.pid,
    residentBytes: () => process.memoryUsage.rss(),
    clock: systemClock,
    logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
    failpoint: noFailpoints,
    ...change,
  };
}
