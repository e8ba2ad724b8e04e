import { join } from "node:path";
import { projectRoot } from "./project-root.ts";
import { type Program, unpackedProgram } from "./unpacked-program.ts";

export type MysqlFlavour = "mysql" | "mariadb";

/** Names a server that is there already, to be used in place of one of ours; see docker-compose.yml for its settings. */
export const URL_VARIABLES: Readonly<Record<MysqlFlavour, string>> = {
  mysql: "MILLRACE_TEST_MYSQL_URL",
  mariadb: "MILLRACE_TEST_MARIADB_URL",
};

/** Where scripts/mysql-servers.mjs unpacks a server and its clients, unless the variable is set. */
export function mysqlRoot(flavour: MysqlFlavour): string {
  return join(projectRoot, ".cache", flavour);
}

/** A program by its path in the packages (`usr/bin/mysqlbinlog`). */
export function mysqlProgram(flavour: MysqlFlavour, path: string): Program {
  const root = mysqlRoot(flavour);
  const program = unpackedProgram(root, path, [join("mysql", "private")]);
  if (program === null)
    throw new Error(`no ${join(root, path)}: run \`node scripts/setup.mjs\`, without ${URL_VARIABLES[flavour]}`);
  return program;
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
