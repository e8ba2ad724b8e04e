import { expect, test } from "vitest";
import { CRASH_PAIRS, type CrashPair, type CrashPlace, crashRound } from "../support/crash.ts";
import { pairName } from "../support/crash-table.ts";
import { type Mutation, mutatedProgram } from "../support/mutated-program.ts";
import { tempFolder } from "../support/temp-folder.ts";

interface BrokenEngine {
  readonly name: string;
  readonly pair: string;
  readonly places: readonly CrashPlace[];
  readonly mutations: readonly Mutation[];
  /** What the checker must say. */
  readonly fault: "lost" | "duplicated";
}

/** Engines that break a promise, each killed where it shows. */
const BROKEN: readonly BrokenEngine[] = [
  {
    name: "acknowledges to the source before the checkpoint",
    pair: "postgres, file, duckdb",
    places: ["engine.record-stored"],
    mutations: [
      {
        from: "const durable = await this.#options.epochs.commit(reason);",
        to: `this.#options.log.acknowledge(DurablePosition.committed(this.position));
          const durable = await this.#options.epochs.commit(reason);`,
      },
      // The engine itself would notice at its next start.
      { from: "if (parseLsn(slot.confirmed) > resume.lsn)", to: "if (false)" },
    ],
    fault: "lost",
  },
  {
    name: "does not compare tokens, neither in the store nor in the sink",
    pair: "postgres, redis, parquet",
    places: ["asleep, and another run took over"],
    mutations: [
      { from: "if token and token > tonumber(ARGV[1]) then return {'fenced', head[1]} end", to: "" },
      { from: "if not (known or (not token and ARGV[6] == '1')) then return {'lost', head[2] or ''} end", to: "" },
      { from: 'conditional ? { kind: "absent" } : null', to: "null" },
      { from: "if (last?.tag === tag) return;", to: "return;" },
      { from: "return (await this.#found(signal)).some(({ slot }) => slot > this.#state.slot);", to: "return false;" },
      // What the one that took over had removed, the other could not have shown.
      { from: "if (!this.#cleaned) await staged.removeLeftovers(signal);", to: "" },
    ],
    fault: "duplicated",
  },
  {
    name: "delivers an epoch again",
    pair: "mysql, file, parquet",
    places: ["engine.acknowledged"],
    mutations: [
      {
        from: 'const position = parts.get("position") ?? committedPosition;',
        to: 'const position = committedPosition ?? parts.get("position");',
      },
    ],
    fault: "duplicated",
  },
];

/** The snapshot would bring again what the log has lost; and the first epochs of a run may have no rows. */
const KILLED = { seed: 1, kills: 2, behindSnapshot: true, times: 4 } as const;

function pairOf(name: string): CrashPair {
  const pair = CRASH_PAIRS.find((candidate) => pairName(candidate) === name);
  if (pair === undefined) throw new Error(`no pair ${name}`);
  return pair;
}

test.each(BROKEN)("the checker finds an engine that $name", async ({ pair, places, mutations, fault }) => {
  await using folder = tempFolder();
  const program = await mutatedProgram(folder.path, mutations);
  const { faults } = await crashRound(pairOf(pair), { ...KILLED, places, program });
  expect(faults[fault], faults.told.join("\n")).toBeGreaterThan(0);
});
