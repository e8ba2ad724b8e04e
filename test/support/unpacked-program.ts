import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** How to call a program: with `args` before its own. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
}

/** Nothing of ours, least of all what would have another loader load something. */
export const PROGRAM_ENV: Readonly<Record<string, string>> = { PATH: "/usr/bin:/bin", TZ: "UTC" };

/** Where packages have libraries: up to bookworm the C library is in the second. */
const LIBRARIES = [join("usr", "lib"), "lib"];

/**
 * A program of packages that scripts/debian-packages.mjs has unpacked into `root`, or null where it is not there. It is run by
 * the loader that was fetched with it, since it may need a newer C library than this machine has. `libraries`: folders of its
 * own beside those of the system.
 */
export function unpackedProgram(root: string, path: string, libraries: readonly string[] = []): Program | null {
  const program = join(root, path);
  if (!existsSync(program)) return null;
  const { loader, architecture } = loaderUnder(root);
  const folders = LIBRARIES.map((folder) => join(root, folder, architecture));
  const own = libraries.map((folder) => join(root, "usr", "lib", architecture, folder));
  return { command: loader, args: ["--library-path", [...folders, ...own].join(":"), program] };
}

/** Named after the machine's architecture, as the folder of the libraries is. */
function loaderUnder(root: string): { readonly loader: string; readonly architecture: string } {
  for (const libraries of LIBRARIES.map((folder) => join(root, folder)).filter((folder) => existsSync(folder)))
    for (const architecture of readdirSync(libraries).filter((name) => name.includes("-linux-gnu"))) {
      const loader = readdirSync(join(libraries, architecture)).find((name) => /^ld-linux.*\.so\.\d+$/.test(name));
      if (loader !== undefined) return { loader: join(libraries, architecture, loader), architecture };
    }
  throw new Error(`no loader under ${root}`);
}
