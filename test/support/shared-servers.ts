import type { ProvidedContext } from "vitest";
import type { TestProject } from "vitest/node";

type ServersName = keyof ProvidedContext;

interface Shared<Servers> {
  users: number;
  readonly servers: Promise<Servers>;
  readonly started: AsyncDisposable[];
}

/** Every project of one run shares the servers; each loads this module anew, so they meet in the global object. */
const shared = globalThis as typeof globalThis & {
  millraceServers?: { [Name in ServersName]?: Shared<ProvidedContext[Name]> };
};

/**
 * The work of a globalSetup: provides `project` with the servers of that name, which the first project of a run starts and
 * the last one ends. `start` puts into `started` what has to be ended, also where it fails. Gives back the teardown.
 */
export async function shareServers<Name extends ServersName>(
  project: TestProject,
  name: Name,
  start: (started: AsyncDisposable[]) => Promise<ProvidedContext[Name]>,
): Promise<() => Promise<void>> {
  const all: { [key in Name]?: Shared<ProvidedContext[Name]> } = (shared.millraceServers ??= {});
  const running = (all[name] ??= startShared(start));
  running.users += 1;
  const leave = async (): Promise<void> => {
    running.users -= 1;
    if (running.users > 0) return;
    delete all[name];
    await running.servers.catch(() => undefined);
    for (const server of running.started) await server[Symbol.asyncDispose]();
  };
  try {
    project.provide(name, await running.servers);
  } catch (error) {
    await leave();
    throw error;
  }
  return leave;
}

function startShared<Servers>(start: (started: AsyncDisposable[]) => Promise<Servers>): Shared<Servers> {
  const started: AsyncDisposable[] = [];
  return { users: 0, servers: start(started), started };
}

/** What a URL says of a server. */
interface ServerAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

/** Of a server that is there already and is named by an environment variable; null where it is not set. */
export function addressFrom(variable: string, scheme: string, defaultPort: number): ServerAddress | null {
  const text = process.env[variable];
  if (text === undefined || text === "") return null;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.hostname === "") throw new Error(`${variable} is not a ${scheme}:// URL`);
  return {
    host: url.hostname,
    port: url.port === "" ? defaultPort : Number(url.port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  };
}
