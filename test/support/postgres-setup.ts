import type { TestProject } from "vitest/node";
import type { PostgresVersion } from "./postgres-binaries.ts";
import { type PostgresAddress, startPrivatePostgres } from "./private-postgres.ts";
import { addressFrom, shareServers } from "./shared-servers.ts";

/** A server that is there already, used in place of our own; see docker-compose.yml for the settings it needs. */
const URL_VARIABLES: Readonly<Record<PostgresVersion, string>> = {
  newest: "MILLRACE_TEST_POSTGRES_URL",
  oldest: "MILLRACE_TEST_POSTGRES_14_URL",
};

/** vitest's globalSetup of the projects that need PostgreSQL. Without a server it fails, and with it the run. */
export default function setup(project: TestProject): Promise<() => Promise<void>> {
  return shareServers(project, "postgres", async (started) => ({
    newest: await server("newest", started),
    oldest: await server("oldest", started),
  }));
}

async function server(version: PostgresVersion, started: AsyncDisposable[]): Promise<PostgresAddress> {
  const given = addressFrom(URL_VARIABLES[version], "postgres", 5432);
  if (given !== null) return given;
  const own = await startPrivatePostgres({ version });
  started.push(own);
  return { host: own.host, port: own.port, user: own.user, password: own.password };
}
