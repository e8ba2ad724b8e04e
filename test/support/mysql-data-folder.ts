import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type MysqlFlavour, mysqldProgram, mysqlRoot } from "./mysql-programs.ts";
import { PROGRAM_ENV } from "./unpacked-program.ts";

export const MYSQL_USER = "root";
export const MYSQL_PASSWORD = "a test's own secret";

const DEADLINE_MS = 120_000;
const QUOTED_PASSWORD = `'${MYSQL_PASSWORD.replaceAll("'", "''")}'`;

/** Connections over TCP come from an address, not from `localhost`, where names are not resolved. */
const ACCOUNTS = [
  `ALTER USER '${MYSQL_USER}'@'localhost' IDENTIFIED BY ${QUOTED_PASSWORD};`,
  `CREATE USER '${MYSQL_USER}'@'%' IDENTIFIED BY ${QUOTED_PASSWORD};`,
  `GRANT ALL ON *.* TO '${MYSQL_USER}'@'%' WITH GRANT OPTION;`,
].join("\n");

const SHARED_OPTIONS = ["--skip-log-bin", "--innodb-buffer-pool-size=64M", "--innodb-doublewrite=OFF"];
const OPTIONS: Readonly<Record<MysqlFlavour, readonly string[]>> = {
  mysql: [
    ...SHARED_OPTIONS,
    "--innodb-redo-log-capacity=8M",
    "--innodb-flush-method=nosync",
    "--performance-schema=OFF",
  ],
  mariadb: [...SHARED_OPTIONS, "--innodb-log-file-size=8M", "--debug-no-sync", "--max-allowed-packet=8M"],
};

/**
 * Makes `dataFolder`, with the superuser in it and nothing else. It is copied from a template under .cache/, since initialising
 * one takes MySQL seconds.
 */
export function createDataFolder(flavour: MysqlFlavour, dataFolder: string): void {
  cpSync(template(flavour), dataFolder, { recursive: true });
}

/** Beside the programs, and named after what it was made by: another way of making it makes another one. */
function template(flavour: MysqlFlavour): string {
  const made = createHash("sha256").update(ACCOUNTS + OPTIONS[flavour].join(" "));
  const folder = join(mysqlRoot(flavour), `data-${made.digest("hex").slice(0, 8)}`);
  if (existsSync(folder)) return folder;
  // Says what to do where nothing was fetched.
  mysqldProgram(flavour, folder);
  const unfinished = mkdtempSync(`${folder}-`);
  const data = join(unfinished, "data");
  try {
    if (flavour === "mysql") initialiseMysql(data, unfinished);
    else initialiseMariadb(data);
    moveInto(data, folder);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return folder;
}

/** Of two that make it at the same time, the first stays. */
function moveInto(data: string, folder: string): void {
  try {
    renameSync(data, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  }
}

function initialiseMysql(data: string, folder: string): void {
  const file = join(folder, "accounts.sql");
  writeFileSync(file, ACCOUNTS);
  initialise("mysql", data, ["--initialize-insecure", `--init-file=${file}`], "");
  // The server's identity: each copy makes one of its own.
  rmSync(join(data, "auto.cnf"));
}

/** As mariadb-install-db does it, which is a shell script that cannot find programs in such a place. */
function initialiseMariadb(data: string): void {
  mkdirSync(data);
  const share = join(mysqlRoot("mariadb"), "usr", "share", "mariadb");
  const parts = ["system_tables", "performance_tables", "system_tables_data"].map((name) => `mariadb_${name}.sql`);
  const statements = [
    "CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;",
    ...[...parts, "maria_add_gis_sp_bootstrap.sql", "mariadb_sys_schema.sql"].map((name) =>
      readFileSync(join(share, name), "utf8"),
    ),
    "USE mysql;\nDELETE FROM global_priv WHERE User = 'root' AND Host <> 'localhost';",
    "DELETE FROM proxies_priv WHERE Host <> 'localhost';\nFLUSH PRIVILEGES;",
    ACCOUNTS,
  ];
  initialise("mariadb", data, ["--bootstrap"], `${statements.join("\n")}\n`);
}

function initialise(flavour: MysqlFlavour, data: string, options: readonly string[], input: string): void {
  const { command, args } = mysqldProgram(flavour, data);
  execFileSync(command, [...args, ...options, ...OPTIONS[flavour], `--tmpdir=${dirname(data)}`], {
    cwd: "/",
    env: PROGRAM_ENV,
    input,
    stdio: ["pipe", "pipe", "pipe"],
    timeout: DEADLINE_MS,
  });
}
