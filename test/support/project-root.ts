import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** The folder of package.json, the same from the sources and from their compiled form in dist/. */
export const projectRoot: string = rootAbove(import.meta.dirname);

function rootAbove(folder: string): string {
  if (existsSync(join(folder, "package.json"))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error(`no package.json above ${import.meta.dirname}`);
  return rootAbove(parent);
}
