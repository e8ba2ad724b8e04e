import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EngineProcess } from "./engine-process.ts";
import type { EngineReport, EngineRequest } from "./engine-report.ts";

/** A server that is measured: what pipelines and their files need to know of it. */
export interface BenchSource {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Of the file's `source`, beside the address: type and tables, and what else the kind of server needs. */
  options(tables: readonly string[]): Readonly<Record<string, string>>;
}

export interface PipelineOptions {
  /** By name, in the bench's database. */
  readonly tables: readonly string[];
  readonly sink: SinkType;
  readonly parallelism?: number;
  readonly checkpointInterval?: string;
  /** Where checkpoints go: by default into the pipeline's own folder. */
  readonly checkpointStore?: string;
  /** Chunks are read by `millrace worker` processes, and go by a folder of the pipeline's own. */
  readonly byWorkers?: boolean;
}

export type SinkType = "discard" | "duckdb" | "parquet";

/** How a bench says where its rows go. */
export const SINKS: Readonly<Record<SinkType, string>> = {
  discard: "to a sink that discards",
  duckdb: "into a DuckDB file, committed",
  parquet: "into Parquet files in a folder, committed",
};

/** Of the file's `sink`, beside its type. */
const SINK_OPTIONS: Readonly<Record<SinkType, string>> = {
  discard: "",
  duckdb: "  path: state/warehouse.duckdb\n",
  parquet: "  path: state/lake\n",
};

/** A pipeline file, and the folder that holds all its state: checkpoints and, where there is one, the DuckDB file. */
export class BenchPipeline implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "millrace-bench-"));
  readonly #source: BenchSource;
  readonly #removed = (): void => rmSync(this.#folder, { recursive: true, force: true });

  constructor(source: BenchSource, options: PipelineOptions) {
    this.#source = source;
    process.once("exit", this.#removed);
    writeFileSync(this.file, pipelineYaml(source, options));
    this.clear();
  }

  get file(): string {
    return join(this.#folder, "pipeline.yaml");
  }

  /** What the file takes from the environment. */
  get env(): Readonly<Record<string, string>> {
    const { host, port, user, password } = this.#source;
    return { BENCH_HOST: host, BENCH_PORT: String(port), BENCH_USER: user, BENCH_PASSWORD: password };
  }

  get #state(): string {
    return join(this.#folder, "state");
  }

  start(until: EngineRequest["until"]): EngineProcess {
    return new EngineProcess({ file: this.file, env: this.env, until });
  }

  /** Runs it until it has caught up. Rejects where that were not so many rows. */
  async deliver(rows: number): Promise<{ readonly report: EngineReport; readonly engine: EngineProcess }> {
    const engine = this.start("caught-up");
    const report = await engine.ended();
    if (report.rows !== rows) throw new Error(`${report.rows} rows were delivered, and ${rows} were written`);
    return { report, engine };
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
    process.off("exit", this.#removed);
    this.#removed();
  }
}

/** Everything that is not said here is the product's default. */
function pipelineYaml(source: BenchSource, pipeline: PipelineOptions): string {
  const { tables, sink, parallelism, checkpointInterval, checkpointStore, byWorkers } = pipeline;
  const options = Object.entries(source.options(tables)).map(([name, value]) => `  ${name}: ${value}\n`);
  return `source:
  hostname: \${BENCH_HOST}
  port: \${BENCH_PORT}
  username: \${BENCH_USER}
  password: \${BENCH_PASSWORD}
${options.join("")}sink:
  type: ${sink}
${SINK_OPTIONS[sink]}pipeline:
  name: bench
${parallelism === undefined ? "" : `  parallelism: ${parallelism}\n`}  checkpoint.store: ${checkpointStore ?? "state"}
  checkpoint.interval: ${checkpointInterval ?? "1s"}
${byWorkers === true ? "  snapshot.executor: bullmq\n  staging: state/staging\n" : ""}`;
}
