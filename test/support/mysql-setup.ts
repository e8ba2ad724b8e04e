import type { TestProject } from "vitest/node";
import { type MysqlFlavour, URL_VARIABLES } from "./mysql-programs.ts";
import { type MysqlAddress, startPrivateMysql } from "./private-mysql.ts";
import { addressFrom, shareServers } from "./shared-servers.ts";

/** vitest's globalSetup of the projects that need MySQL and MariaDB. Without a server it fails, and with it the run. */
export default function setup(project: TestProject): Promise<() => Promise<void>> {
  return shareServers(project, "mysql", async (started) => ({
    mysql: await server("mysql", started),
    mariadb: await server("mariadb", started),
  }));
}

async function server(flavour: MysqlFlavour, started: AsyncDisposable[]): Promise<MysqlAddress> {
  const given = addressFrom(URL_VARIABLES[flavour], "mysql", 3306);
  if (given !== null) return given;
  const own = await startPrivateMysql({ flavour });
  started.push(own);
  return { host: own.host, port: own.port, user: own.user, password: own.password };
}
