// MySQL and MariaDB for tests, with their client programs: the packages of Debian's sid, unpacked under .cache/.
import { fetchFromDebian, isComplete, placeOf } from "./debian-packages.mjs";
import { say, StepError } from "./steps.mjs";

const SERVERS = [
  {
    name: "MySQL",
    folder: "mysql",
    variable: "MILLRACE_TEST_MYSQL_URL",
    packages: ["mysql-server-core", "mysql-client-core"],
    programs: ["usr/sbin/mysqld", "usr/bin/mysql", "usr/bin/mysqlbinlog"],
  },
  {
    name: "MariaDB",
    folder: "mariadb",
    variable: "MILLRACE_TEST_MARIADB_URL",
    packages: ["mariadb-server-core", "mariadb-client"],
    programs: ["usr/sbin/mariadbd", "usr/bin/mariadb", "usr/bin/mariadb-binlog"],
  },
];

/** Fetches each server that is neither named by its variable nor there already. */
export function ensureMysqlServers() {
  const missing = SERVERS.filter((server) => !process.env[server.variable] && !isComplete(placeOf(server), server));
  if (missing.length === 0) return;
  say(`install: ${missing.map(({ name }) => name).join(" and ")}, from Debian's sid into .cache/`);
  try {
    fetchFromDebian(missing);
  } catch (error) {
    throw error instanceof StepError ? new StepError(`${error.message}\n${wayOut(missing)}`, error.exitCode) : error;
  }
}

function wayOut(missing) {
  const variables = missing.map(({ variable }) => variable).join(" and ");
  return `Tests need ${missing.map(({ name }) => name).join(" and ")}. To fetch them takes apt, dpkg and a mirror of Debian. Elsewhere start docker-compose.yml, which names the values for ${variables}.`;
}
