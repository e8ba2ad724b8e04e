import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../test/support/project-root.ts";

/** The statements of a file of bench/: an empty line stands between two of them, and nowhere else. */
export function statementsOf(file: string): readonly string[] {
  return readFileSync(join(projectRoot, "bench", file), "utf8").split("\n\n");
}
