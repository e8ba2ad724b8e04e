import fc from "fast-check";
import { expect, test } from "vitest";
import { type ChangeBatch, Op } from "../core/change-batch.ts";
import type { ColumnBuilder } from "../core/column-builder.ts";
import { type Column, isAbsent } from "../core/column.ts";
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

function appendNumber([builder]: readonly ColumnBuilder[], number: number): void {
  builder!.reserve();
  builder!.int32[builder!.row] = number;
  builder!.next();
}

/** Every third is an update, of −1 less the number. */
function appendRow(output: LogOutput, table: TableLog, number: number, transaction: Transaction): void {
  const batch = output.batch(table);
  appendNumber(batch.builders, number);
  const isUpdate = number % 3 === 0;
  if (isUpdate) appendNumber(batch.beforeBuilders(), -1 - number);
  batch.endRow(isUpdate ? Op.update : Op.insert, transaction);
  output.grew(table, 16, 1);
}

function numbersOf({ values, length }: Column): number[] {
  return [...new Int32Array(values.slice().buffer).subarray(0, length)];
}

/** Of each row the number before it; null: it had none. */
function numbersBefore({ before, length }: ChangeBatch): (number | null)[] {
  const [column] = before ?? [];
  if (column === undefined) return Array<null>(length).fill(null);
  return numbersOf(column).map((number, row) => (isAbsent(column, row) ? null : number));
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
  /** Of all rows that it gave, in order, the numbers before and after. */
  readonly before: (number | null)[] = [];
  readonly after: number[] = [];
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
        this.got[item.batch.schema.id]!.push(...numbersOf(item.batch.columns[0]!));
        this.before.push(...numbersBefore(item.batch));
        this.after.push(...numbersOf(item.batch.columns[0]!));
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
    fc.property(STEPS, fc.constantFrom(16, 80, 800, 1 << 20), (steps, batchBytesMax) => {
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
      expect(script.before).toEqual(script.after.map((number) => (number % 3 === 0 ? -1 - number : null)));
      expect(script.output.heldBytes).toBe(0);
      undone += script.undone;
    }),
    { numRuns: 1000 },
  );
  expect(undone).toBeGreaterThan(100);
  expect(refused).toBeGreaterThan(0);
});
