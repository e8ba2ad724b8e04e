import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PrivatePostgres } from "../test/support/private-postgres.ts";
import { BENCH_DATABASE, dropSlot, withClient } from "./bench-server.ts";
import type { EngineRequest } from "./engine-report.ts";

/** Slot and publication of every measured pipeline. */
export const BENCH_SLOT = "bench";

export interface PipelineOptions {
  readonly table: string;
  readonly sink: "discard" | "duckdb";
  readonly checkpointInterval?: string;
}

/** A pipeline file, and the folder that holds all its state: checkpoints and, where there is one, the DuckDB file. */
export class BenchPipeline implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "millrace-bench-"));
  readonly #server: PrivatePostgres;

  constructor(server: PrivatePostgres, options: PipelineOptions) {
    this.#server = server;
    process.once("exit", () => this[Symbol.dispose]());
    writeFileSync(this.#file, pipelineYaml(options));
    this.clear();
  }

  get #file(): string {
    return join(this.#folder, "pipeline.yaml");
  }

  get #state(): string {
    return join(this.#folder, "state");
  }

  request(until: "caught-up" | null): EngineRequest {
    const { host, port, user, password } = this.#server;
    const env = { BENCH_HOST: host, BENCH_PORT: String(port), BENCH_USER: user, BENCH_PASSWORD: password };
    return { file: this.#file, env, until };
  }

  /** Forgets what the runs before have left. */
  clear(): void {
    rmSync(this.#state, { recursive: true, force: true });
    mkdirSync(this.#state);
  }

  /** Sets the state of this moment aside, for `restore`. */
  keep(): void {
    cpSync(this.#state, `${this.#state}.kept`, { recursive: true });
  }

  restore(): void {
    rmSync(this.#state, { recursive: true, force: true });
    cpSync(`${this.#state}.kept`, this.#state, { recursive: true });
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Takes away what the pipeline has made on the source: the next one begins anew. */
export async function forgetSource(server: PrivatePostgres): Promise<void> {
  await dropSlot(server, BENCH_SLOT);
  await withClient(server, BENCH_DATABASE, (client) => client.query(`DROP PUBLICATION IF EXISTS ${BENCH_SLOT}`));
}

/** Everything that is not said here is the product's default. */
function pipelineYaml({ table, sink, checkpointInterval }: PipelineOptions): string {
  return `source:
  type: postgres
  hostname: \${BENCH_HOST}
  port: \${BENCH_PORT}
  username: \${BENCH_USER}
  password: \${BENCH_PASSWORD}
  tables: ${BENCH_DATABASE}.public.${table}
  slot.name: ${BENCH_SLOT}
  publication.name: ${BENCH_SLOT}
sink:
  type: ${sink}
${sink === "duckdb" ? "  path: state/warehouse.duckdb\n" : ""}pipeline:
  name: bench
  checkpoint.store: state
  checkpoint.interval: ${checkpointInterval ?? "1s"}
`;
}
