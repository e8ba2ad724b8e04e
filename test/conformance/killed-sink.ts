import { DUCKDB_DEFAULTS } from "../../src/sinks/duckdb/config.ts";
import { createDuckdbSink } from "../../src/sinks/duckdb/sink.ts";
import { PIPELINE, runScript } from "./sink-script.ts";
import { testAmbient } from "../support/test-ambient.ts";

/** Run from dist/ in a process of its own: `node killed-sink.js PATH FAILPOINT NTH`. */
const [path, failpoint, nth] = process.argv.slice(2);
if (path === undefined || failpoint === undefined) throw new Error("usage: killed-sink.js PATH FAILPOINT NTH");
let calls = 0;
const sink = createDuckdbSink(
  { path, ...DUCKDB_DEFAULTS },
  testAmbient({
    failpoint: (at) => {
      if (at === failpoint && ++calls === Number(nth)) process.kill(process.pid, "SIGKILL");
    },
  }),
);
await runScript(sink, await sink.open(PIPELINE, new AbortController().signal));
await sink.close();
