import type { TestProject } from "vitest/node";
import type { PostgresServers } from "./postgres.ts";
import type { PostgresVersion } from "./postgres-binaries.ts";
import { type PostgresAddress, startPrivatePostgres } from "./private-postgres.ts";

/** A server that is there already, used in place of our own; see docker-compose.yml for the settings it needs. */
const URL_VARIABLES: Readonly<Record<PostgresVersion, string>> = {
  newest: "MILLRACE_TEST_POSTGRES_URL",
  oldest: "MILLRACE_TEST_POSTGRES_14_URL",
};

interface Shared {
  users: number;
  readonly servers: Promise<PostgresServers>;
  readonly started: AsyncDisposable[];
}

/** Every project of one run shares the servers; each loads this module anew, so they meet in the global object. */
const shared = globalThis as typeof globalThis & { millracePostgres?: Shared };

/** vitest's globalSetup of the projects that need PostgreSQL. Without a server it fails, and with it the run. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  shared.millracePostgres ??= startServers();
  const running = shared.millracePostgres;
  running.users += 1;
  const leave = async (): Promise<void> => {
    running.users -= 1;
    if (running.users > 0) return;
    delete shared.millracePostgres;
    await running.servers.catch(() => undefined);
    for (const server of running.started) await server[Symbol.asyncDispose]();
  };
  try {
    project.provide("postgres", await running.servers);
  } catch (error) {
    await leave();
    throw error;
  }
  return leave;
}

function startServers(): Shared {
  const started: AsyncDisposable[] = [];
  const server = async (version: PostgresVersion): Promise<PostgresAddress> => {
    const url = process.env[URL_VARIABLES[version]];
    if (url !== undefined && url !== "") return addressOf(url, URL_VARIABLES[version]);
    const own = await startPrivatePostgres({ version });
    started.push(own);
    return { host: own.host, port: own.port, user: own.user, password: own.password };
  };
  const servers = (async () => ({ newest: await server("newest"), oldest: await server("oldest") }))();
  return { users: 0, servers, started };
}

function addressOf(text: string, variable: string): PostgresAddress {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.hostname === "") throw new Error(`${variable} is not a postgres:// URL`);
  return {
    host: url.hostname,
    port: Number(url.port === "" ? 5432 : url.port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  };
}
