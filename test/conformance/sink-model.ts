import fc from "fast-check";
import type { Sink } from "../../src/core/sink.ts";
import type { TableSchema } from "../../src/core/table-schema.ts";
import { absent, batch, type Cell, type Change, transaction } from "./batch.ts";
import { commit, PIPELINE, record } from "./sink-script.ts";

/** What a history does to its one table, in order. */
export type Step =
  | { readonly kind: "rows"; readonly changes: readonly Change[] }
  | { readonly kind: "truncate" }
  | { readonly kind: "end-snapshot" }
  | { readonly kind: "reopen" };

export type History = readonly (readonly Step[])[];

const cell = fc.constantFrom<Cell[]>(null, "a", "b", "a text of more than twelve bytes", "");
const partial = fc.oneof({ weight: 2, arbitrary: cell }, { weight: 1, arbitrary: fc.constant<Cell>(absent) });
const key = fc.integer({ min: 0, max: 7 }).map(BigInt);

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.tuple(key, cell, cell).map((cells): Change => ({ op: "insert", cells })),
  fc.tuple(key, partial, partial).map((cells): Change => ({ op: "update", cells })),
  key.map((id): Change => ({ op: "delete", cells: [id, absent, absent] })),
);

/** A table of (id, text, text). Each key comes by a snapshot at most once, as chunks do. */
export function keyedHistory(): fc.Arbitrary<History> {
  const log = fc.array(change, { minLength: 1, maxLength: 6 }).map((changes): Step => ({ kind: "rows", changes }));
  const other = fc.constantFrom<Step[]>({ kind: "truncate" }, { kind: "reopen" }, { kind: "end-snapshot" });
  const chunks = fc
    .shuffledSubarray([0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n])
    .chain((keys) =>
      fc
        .array(fc.tuple(cell, cell), { minLength: keys.length, maxLength: keys.length })
        .map((cells) =>
          keys.map((id, i): Step => ({ kind: "rows", changes: [{ op: "upsert", cells: [id, ...cells[i]!] }] })),
        ),
    );
  const steps = fc.array(fc.oneof({ weight: 6, arbitrary: log }, { weight: 1, arbitrary: other }), { maxLength: 8 });
  return fc
    .tuple(fc.array(steps, { minLength: 1, maxLength: 4 }), chunks, fc.infiniteStream(fc.nat(1000)))
    .map(([epochs, rows, places]) => {
      const mixed = epochs.map((epoch) => [...epoch]);
      for (const step of rows) {
        const epoch = mixed[places.next().value % mixed.length]!;
        epoch.splice(places.next().value % (epoch.length + 1), 0, step);
      }
      return mixed;
    });
}

export function keylessHistory(): fc.Arbitrary<History> {
  const row = fc.tuple(
    fc.constantFrom<Cell[]>(null, 1n, 2n),
    fc.constantFrom<Cell[]>(null, "a", "a text of more than twelve bytes"),
  );
  const one = fc
    .tuple(fc.constantFrom<Change["op"][]>("insert", "delete"), row)
    .map(([op, cells]): Change => ({ op, cells }));
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.array(one, { minLength: 1, maxLength: 8 }).map((changes): Step => ({ kind: "rows", changes })),
    },
    { weight: 1, arbitrary: fc.constantFrom<Step[]>({ kind: "truncate" }, { kind: "reopen" }) },
  );
  return fc.array(fc.array(step, { maxLength: 6 }), { minLength: 1, maxLength: 4 });
}

/** Plays a history to sinks and to the model; returns the model's rows in the order of `SinkHarness.rows`. */
export async function replay(
  make: () => Sink,
  schema: TableSchema,
  epochs: History,
): Promise<readonly (readonly (string | null)[])[]> {
  const signal = new AbortController().signal;
  let sink = make();
  await sink.open(PIPELINE, signal);
  await sink.beginTable(schema, 1, "create");
  let rows: (readonly Cell[])[] = [];
  let number = 0;
  for (const steps of epochs) {
    for (const step of steps) {
      if (step.kind === "rows") await sink.write(batch(schema, step.changes));
      if (step.kind === "truncate") await sink.truncate(schema.id, transaction);
      if (step.kind === "end-snapshot") await sink.endSnapshot(schema.id);
      rows = step.kind === "truncate" ? [] : step.kind === "rows" ? applied(schema, rows, step.changes) : rows;
    }
    await commit(sink, record(++number));
    if (!steps.some((step) => step.kind === "reopen")) continue;
    await sink.close();
    sink = make();
    await sink.open(PIPELINE, signal);
  }
  await sink.close();
  return rows.map((row) => row.map((value) => (value === null ? null : String(value)))).sort(byText);
}

function applied(
  schema: TableSchema,
  rows: readonly (readonly Cell[])[],
  changes: readonly Change[],
): (readonly Cell[])[] {
  const now = [...rows];
  for (const { op, cells } of changes) {
    const keyed = schema.key.length > 0;
    const at = now.findIndex((row) => (keyed ? row[0] === cells[0] : row.every((value, i) => value === cells[i])));
    if (op === "delete") {
      if (at >= 0) now.splice(at, 1);
    } else if (!keyed || (at < 0 && !cells.includes(absent))) now.push(cells);
    else if (at >= 0) now[at] = now[at]!.map((value, i) => (cells[i] === absent ? value : cells[i]!));
  }
  return now;
}

/** Nulls last, then by code unit: any order will do where both sides use it. */
export function byText(a: readonly (string | null)[], b: readonly (string | null)[]): number {
  const [x, y] = [JSON.stringify(a), JSON.stringify(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}
