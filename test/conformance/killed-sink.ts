import { sinkOf, type KilledTarget } from "./killed-target.ts";
import { PIPELINE, runScript } from "./sink-script.ts";

/** Run from dist/ in a process of its own: `node killed-sink.js TARGET FAILPOINT NTH`, the target as JSON. */
const [target, failpoint, nth] = process.argv.slice(2);
if (target === undefined || failpoint === undefined) throw new Error("usage: killed-sink.js TARGET FAILPOINT NTH");
let calls = 0;
const sink = sinkOf(JSON.parse(target) as KilledTarget, (at) => {
  if (at === failpoint && ++calls === Number(nth)) process.kill(process.pid, "SIGKILL");
});
await runScript(sink, await sink.open(PIPELINE, new AbortController().signal));
await sink.close();
