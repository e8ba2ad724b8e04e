import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { PrivatePostgres } from "../test/support/private-postgres.ts";
import { BENCH_DATABASE } from "./bench-server.ts";
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
  const begin = performance.now();
  await run(clients, server, clients.recvlogical, [
    ...["--start", "--no-loop", "--file=/dev/null", `--slot=${stream.slot}`, `--endpos=${stream.endLsn}`],
    ...["--option=proto_version=1", `--option=publication_names=${stream.publication}`],
  ]);
  return (performance.now() - begin) / 1000;
}

/** Ends with what the program printed; rejects, with its complaint, where it failed. */
async function run(
  clients: PostgresClients,
  server: PrivatePostgres,
  program: string,
  args: readonly string[],
): Promise<string> {
  const address = ["--host", server.host, "--port", String(server.port), "--username", server.user];
  const child: ChildProcess = spawn(program, [...address, `--dbname=${BENCH_DATABASE}`, ...args], {
    env: { ...process.env, ...clients.env, PGPASSWORD: server.password },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let complaint = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (complaint += text));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${complaint.trim()}`);
  return output;
}
