import { createStore } from "../../src/stores/open-store.ts";
import { systemClock } from "../../src/observe/system-clock.ts";
import { patternBytes } from "../support/pattern-bytes.ts";

/**
 * Run from dist/ in a process of its own: `node killed-store.js PATH ROUND BYTES`. Stages and completes one object after the other
 * until it is killed, or cannot go on, and says how far it is.
 */
const [path, round, bytes] = process.argv.slice(2);
if (path === undefined || round === undefined) throw new Error("usage: killed-store.js PATH ROUND BYTES");
const { signal } = new AbortController();
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

await using store = createStore({ kind: "folder", path }, systemClock);
await store.open(signal);
for (let n = 0; n < 100_000; n++) {
  const writer = store.stage(`t${n % 3}/round=${round}/${n}`, signal);
  try {
    const content = patternBytes(Number(bytes) + n, n);
    await writer.write(content.slice(0, n));
    await writer.write(content.slice(n));
    const committable = await writer.finish();
    say({ kind: "finished", committable });
    await store.complete(committable, signal);
    say({ kind: "completed", key: committable.key });
  } catch (error) {
    await writer.abort();
    say({ kind: "failed", code: (error as { code?: unknown }).code });
    break;
  }
}
