// Puts what was compiled into few files, dist/bin/: of the command, and of the threads that read chunks or encode Parquet. A process that loads
// a hundred files of ours spends a tenth of a second of its start on finding them. Packages stay where npm has put them.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { rolldown } from "rolldown";
import { root } from "./steps.mjs";

const compiled = (path) => join(root, "dist", "src", path);
const dir = join(root, "dist", "bin");

/** Workers are looked for under their names, beside whoever starts them. */
const input = {
  millrace: compiled("cli/main.js"),
  "chunk-worker": compiled("pipeline/chunk-worker.js"),
  "parquet-worker": compiled("pipeline/parquet-worker.js"),
};
const isPackage = /^[^./]/;

rmSync(dir, { recursive: true, force: true });
const bundle = await rolldown({ input, platform: "node", external: isPackage });
await bundle.write({ dir, format: "esm", entryFileNames: "[name].js", chunkFileNames: "part-[name].js" });
await bundle.close();
