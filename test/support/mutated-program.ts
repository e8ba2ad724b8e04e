import { cp, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { projectRoot } from "./project-root.ts";

/** One place of the built command, which must be there once, and what stands there instead. */
export interface Mutation {
  readonly from: string;
  readonly to: string;
}

/**
 * A copy of the built command that does something wrong, in `folder`; returns its main file. Fails where a place is not found:
 * the mutation has to follow the code.
 */
export async function mutatedProgram(folder: string, mutations: readonly Mutation[]): Promise<string> {
  const [built, copy] = [join(projectRoot, "dist", "bin"), join(folder, "dist", "bin")];
  await cp(built, copy, { recursive: true });
  // Where the copy finds its packages, and its version.
  for (const name of ["node_modules", "package.json"])
    await symlink(join(projectRoot, name), join(dirname(dirname(copy)), name));
  const files = (await readdir(copy)).filter((name) => name.endsWith(".js")).map((name) => join(copy, name));
  for (const { from, to } of mutations) {
    const found: string[] = [];
    for (const file of files) {
      const text = await readFile(file, "utf8");
      if (!text.includes(from)) continue;
      found.push(file);
      await writeFile(
        file,
        text.replace(from, () => to),
      );
    }
    if (found.length !== 1) throw new Error(`${JSON.stringify(from)} is in ${found.length} files of the built command`);
  }
  return join(copy, "millrace.js");
}
