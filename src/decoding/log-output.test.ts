import fc from "fast-check";
import { expect, test } from "vitest";
import { Op } from "../core/change-batch.ts";
import { tableId, type TableSchema } from "../core/table-schema.ts";
import { LogOutput, type RowsMark } from "./log-output.ts";
import type { Position, Transaction } from "../core/position.ts";
import { TableLog } from "./table-log.ts";

function schemaOf(name: string, version: number): TableSchema {
  return { id: tableId("s", name), namespace: "s", name, version, columns: [], key: [] };
}

/** Transactions are numbered, and a position is a number. */
function position(reached: number): Position {
  const numberOf = (other: Position): number => Number(other.serialize());
  return {
    has: ({ id }) => Number(id) < reached,
    covers: (other) => numberOf(other) <= reached,
    meet: (other) => position(Math.min(numberOf(other), reached)),
    serialize: () => reached,
  };
}

test("no epoch can end between two schema changes of one transaction", () => {
  const output = new LogOutput(position(1), { batchBytesMax: 1 << 20, flushRows: 1e6 });
  const kinds = (): string[] => output.take().map(({ kind }) => kind);
  for (const id of [2, 4]) {
    const transaction: Transaction = { id: String(id), commitTimeMs: 0, place: "" };
    output.begin();
    for (const name of ["a", "b"])
      expect(output.changeSchema(new TableLog(schemaOf(name, 1)), schemaOf(name, 2), transaction)).toBe(true);
    output.commit(position(id + 1), 0);
    output.flush();
    expect(kinds()).toEqual(["progress", "schema", "schema", "progress"]);
  }
});

const COLUMN = {
  name: "n",
  type: { kind: "int", bits: 32 },
  nullable: false,
  sourceType: "int",
  collation: null,
  existingRowsDefault: null,
} as const;

test("an epoch may end wherever rows of 64 tables have come", () => {
  const output = new LogOutput(position(1), { batchBytesMax: 1 << 20, flushRows: 1e6 });
  const kinds: string[] = [];
  for (let id = 2; id < 2 + 100; id++) {
    const transaction: Transaction = { id: String(id), commitTimeMs: 0, place: "" };
    output.begin();
    const table = new TableLog({ ...schemaOf(`t${id}`, 1), columns: [COLUMN] });
    appendRow(output, table, id, transaction);
    output.commit(position(id + 1), 0);
    kinds.push(...output.take().map(({ kind }) => kind));
  }
  expect(kinds).toEqual([...Array<string>(64).fill("rows"), "progress"]);
});

function appendRow(output: LogOutput, table: TableLog, number: number, transaction: Transaction): void {
  const batch = output.batch(table);
  const [builder] = batch.builders;
  builder!.reserve();
  builder!.int32[builder!.row] = number;
  builder!.next();
  batch.endRow(Op.insert, transaction);
  output.grew(table, 8, 1);
}

/** A row, a place to go back to, going back, columns added, or the end of the transaction. */
const STEP = fc.record({
  kind: fc.constantFrom("row", "row", "row", "row", "row", "mark", "undo", "schema", "end"),
  table: fc.nat(2),
  mark: fc.nat(5),
});
type Step = typeof STEP extends fc.Arbitrary<infer T> ? T : never;
const STEPS = fc.array(STEP, { maxLength: 60 });

type Rows = Record<string, number[]>;

/** What a `LogOutput` is given and gives, of transactions whose rows have one number each. */
class Script {
  readonly output: LogOutput;
  readonly tables = ["a", "b", "c"].map((name) => new TableLog({ ...schemaOf(name, 1), columns: [COLUMN] }));
  readonly got: Rows = { "s.a": [], "s.b": [], "s.c": [] };
  done: Rows = { "s.a": [], "s.b": [], "s.c": [] };
  undone = 0;
  #transaction: Transaction = { id: "2", commitTimeMs: 0, place: "" };
  #marks: { readonly mark: RowsMark; readonly done: Rows }[] = [];

  constructor(batchBytesMax: number) {
    this.output = new LogOutput(position(1), { batchBytesMax, flushRows: 1e6 });
    this.#begin(2);
  }

  #begin(id: number): void {
    this.#transaction = { id: String(id), commitTimeMs: 0, place: "" };
    this.output.begin();
    this.#marks = [];
    this.#mark();
  }

  end(id: number): void {
    this.output.commit(position(id), 0);
    this.take();
    this.#begin(id);
  }

  take(): void {
    for (const item of this.output.take())
      if (item.kind === "rows") {
        const [column] = item.batch.columns;
        this.got[item.batch.schema.id]!.push(
          ...new Int32Array(column!.values.slice().buffer).subarray(0, column!.length),
        );
      }
  }

  #mark(): void {
    this.#marks.push({ mark: this.output.mark(this.#transaction), done: structuredClone(this.done) });
  }

  /** False: it was refused. */
  step(step: Step, number: number): boolean {
    const table = this.tables[step.table]!;
    if (step.kind === "row") this.#row(table, number);
    else if (step.kind === "mark") this.#mark();
    else if (step.kind === "end") this.end(number + 10);
    else if (step.kind === "schema") {
      const schema = { ...table.schema, version: table.schema.version + 1 };
      this.output.changeSchema(table, schema, this.#transaction);
    } else return this.#undo(step.mark % this.#marks.length);
    return true;
  }

  #row(table: TableLog, number: number): void {
    appendRow(this.output, table, number, this.#transaction);
    this.done[table.schema.id]!.push(number);
  }

  #undo(to: number): boolean {
    if (this.output.undo(this.#marks[to]!.mark, this.#transaction) !== null) return false;
    this.undone++;
    this.done = structuredClone(this.#marks[to]!.done);
    this.#marks.length = to + 1;
    return true;
  }
}

test("what is undone never comes, and all else does, in order; or it is said that it cannot be", () => {
  let undone = 0;
  let refused = 0;
  fc.assert(
    fc.property(STEPS, fc.constantFrom(8, 40, 400, 1 << 20), (steps, batchBytesMax) => {
      const script = new Script(batchBytesMax);
      for (const [i, step] of steps.entries())
        if (!script.step(step, i)) {
          refused++;
          return;
        }
      script.end(1000);
      script.output.commit(position(1001), 0);
      script.output.flush();
      script.take();
      expect(script.got).toEqual(script.done);
      expect(script.output.heldBytes).toBe(0);
      undone += script.undone;
    }),
    { numRuns: 1000 },
  );
  expect(undone).toBeGreaterThan(100);
  expect(refused).toBeGreaterThan(0);
});
