import type { PrivatePostgres } from "../test/support/private-postgres.ts";
import { BENCH_DATABASE } from "./bench-server.ts";
import { runClient, secondsOf } from "./client-program.ts";
import type { PostgresClients } from "./postgres-clients.ts";

/**
 * Seconds that `psql` needs to copy the table in binary form to nowhere: the statement alone, by psql's own clock, without
 * its start and its login.
 */
export async function psqlCopySeconds(
  clients: PostgresClients,
  server: PrivatePostgres,
  table: string,
): Promise<number> {
  const output = await run(clients, server, clients.psql, [
    ...["--no-psqlrc", "--quiet", "--output=/dev/null", "--command=\\timing on"],
    `--command=COPY ${table} TO STDOUT (FORMAT binary)`,
  ]);
  const timing = /^Time: ([0-9.]+) ms/m.exec(output);
  if (timing === null) throw new Error(`psql did not print its timing but: ${output}`);
  return Number(timing[1]) / 1000;
}

/** Seconds that `pg_recvlogical` needs to drain the slot up to the LSN, from its start to its end. */
export async function recvlogicalSeconds(
  clients: PostgresClients,
  server: PrivatePostgres,
  stream: { readonly slot: string; readonly publication: string; readonly endLsn: string },
): Promise<number> {
  return await secondsOf(() =>
    run(clients, server, clients.recvlogical, [
      ...["--start", "--no-loop", "--file=/dev/null", `--slot=${stream.slot}`, `--endpos=${stream.endLsn}`],
      ...["--option=proto_version=1", `--option=publication_names=${stream.publication}`],
    ]),
  );
}

async function run(
  clients: PostgresClients,
  server: PrivatePostgres,
  program: string,
  args: readonly string[],
): Promise<string> {
  const address = ["--host", server.host, "--port", String(server.port), "--username", server.user];
  return await runClient({
    command: program,
    args: [...address, `--dbname=${BENCH_DATABASE}`, ...args],
    env: { ...process.env, ...clients.env, PGPASSWORD: server.password },
    output: "kept",
  });
}
