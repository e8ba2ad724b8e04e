import { mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Logger } from "../core/ambient.ts";
import type { PipelineState, TableProgress } from "../core/pipeline-state.ts";
import { TableMap } from "../core/table-map.ts";
import type { TableId } from "../core/table-schema.ts";

/** The version of the file's shape. */
const VERSION = 1;
const NAME = "status.json";
/** How often a run writes it at most; it also writes as often when nothing happens, so that a file that is old tells of a hang. */
const INTERVAL_MS = 1000;

/** What status.json holds: the run's state as of `updatedAtMs`, and whose it is. docs/operating.md describes it. */
export interface StatusDocument {
  readonly version: typeof VERSION;
  readonly pipeline: string;
  readonly pid: number;
  readonly updatedAtMs: number;
  readonly state: PipelineState;
}

/**
 * Keeps a run's state in `<folder>/status.json`, so that `status` can read it while the run goes on and after it ended.
 * Written to another name and renamed, so that a reader never sees half of it. It holds nothing that recovery needs: what
 * goes wrong here is a warning.
 */
export class StatusFile {
  readonly #folder: string;
  readonly #pipeline: string;
  readonly #pid: number;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #ended = new AbortController();
  #state: PipelineState;
  #warned = false;
  readonly #loop: Promise<void>;

  constructor(
    of: { readonly folder: string; readonly pipeline: string; readonly pid: number; readonly state: PipelineState },
    clock: Clock,
    logger: Logger,
  ) {
    this.#folder = of.folder;
    this.#pipeline = of.pipeline;
    this.#pid = of.pid;
    this.#state = of.state;
    this.#clock = clock;
    this.#logger = logger;
    this.#loop = this.#run();
  }

  /** The state to be written next; cheap, for every event. */
  update(state: PipelineState): void {
    this.#state = state;
  }

  /** Writes the last state and ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#loop;
    await this.#write();
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      await this.#write();
      await this.#clock.sleep(INTERVAL_MS, signal).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
    }
  }

  async #write(): Promise<void> {
    const document: StatusDocument = {
      version: VERSION,
      pipeline: this.#pipeline,
      pid: this.#pid,
      updatedAtMs: this.#clock.nowMs(),
      state: this.#state,
    };
    const path = join(this.#folder, NAME);
    try {
      await mkdir(this.#folder, { recursive: true });
      await using file = await open(`${path}.new`, "w");
      await file.writeFile(`${JSON.stringify(document)}\n`);
      await rename(`${path}.new`, path);
      this.#warned = false;
    } catch (error) {
      if (!this.#warned) this.#logger.warn("status file not written", { path, reason: String(error) });
      this.#warned = true;
    }
  }
}

/** The last state that a run of this pipeline left or is writing; null: there is none that this version can read. */
export async function readStatusFile(folder: string): Promise<StatusDocument | null> {
  let text: string;
  try {
    text = await readFile(join(folder, NAME), "utf8");
  } catch {
    return null;
  }
  try {
    const document = JSON.parse(text) as Partial<StatusDocument>;
    const { version, state } = document;
    if (version !== VERSION || state === undefined) return null;
    const tables = TableMap.of(Object.entries(state.facts.tables) as [TableId, TableProgress][]);
    return { ...(document as StatusDocument), state: { ...state, facts: { ...state.facts, tables } } };
  } catch {
    return null;
  }
}
