import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "./project-root.ts";

export type MysqlFlavour = "mysql" | "mariadb";

/** Names a server that is there already, to be used in place of one of ours; see docker-compose.yml for its settings. */
export const URL_VARIABLES: Readonly<Record<MysqlFlavour, string>> = {
  mysql: "MILLRACE_TEST_MYSQL_URL",
  mariadb: "MILLRACE_TEST_MARIADB_URL",
};

/** How to call a program: with `args` before its own. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
}

/** Nothing of ours, least of all what would have another loader load something. */
export const PROGRAM_ENV: Readonly<Record<string, string>> = { PATH: "/usr/bin:/bin", TZ: "UTC" };

/** Where scripts/mysql-servers.mjs unpacks a server and its clients, unless the variable is set. */
export function mysqlRoot(flavour: MysqlFlavour): string {
  return join(projectRoot, ".cache", flavour);
}

/**
 * A program by its path in the packages (`usr/bin/mysqlbinlog`). It is run by the loader that was fetched with it, since it
 * may need a newer C library than this machine has.
 */
export function mysqlProgram(flavour: MysqlFlavour, path: string): Program {
  const root = mysqlRoot(flavour);
  const program = join(root, path);
  if (!existsSync(program))
    throw new Error(`no ${program}: run \`node scripts/setup.mjs\`, without ${URL_VARIABLES[flavour]}`);
  const { loader, folder } = loaderUnder(join(root, "usr", "lib"));
  return { command: loader, args: ["--library-path", `${folder}:${join(folder, "mysql", "private")}`, program] };
}

/** The server itself, told where its files are. */
export function mysqldProgram(flavour: MysqlFlavour, dataFolder: string): Program {
  const { command, args } = mysqlProgram(flavour, flavour === "mysql" ? "usr/sbin/mysqld" : "usr/sbin/mariadbd");
  const usr = join(mysqlRoot(flavour), "usr");
  const places = [
    "--no-defaults",
    `--basedir=${usr}`,
    `--lc-messages-dir=${join(usr, "share", flavour)}`,
    `--datadir=${dataFolder}`,
  ];
  // Both refuse root unless they are told. Another account could not read what is in a clone in root's home.
  const asRoot = process.getuid?.() === 0 ? ["--user=root"] : [];
  return { command, args: [...args, ...places, ...asRoot] };
}

/** Named after the machine's architecture, as the folder of the libraries is. */
function loaderUnder(libraries: string): { readonly loader: string; readonly folder: string } {
  for (const folder of readdirSync(libraries).map((name) => join(libraries, name))) {
    const loader = readdirSync(folder).find((name) => /^ld-linux.*\.so\.\d+$/.test(name));
    if (loader !== undefined) return { loader: join(folder, loader), folder };
  }
  throw new Error(`no loader under ${libraries}`);
}
