import { describe, expect, test } from "vitest";
import type { Json } from "../core/json.ts";
import type { TablePart } from "../core/record.ts";
import { tableId, type TableId, type TableSchema } from "../core/table-schema.ts";
import { decodeParts, encodePart, POSITION_KEY, SOURCE_KEY, tableKey, type RecordContent } from "./record-parts.ts";

function schemaOf(name: string): TableSchema {
  const column = { nullable: false, collation: null, existingRowsDefault: null };
  return {
    id: tableId("shop", name),
    namespace: "shop",
    name,
    version: 1,
    columns: [
      { ...column, name: "id", type: { kind: "int", bits: 64 }, sourceType: "bigint" },
      { ...column, name: "price", type: { kind: "decimal", precision: 12, scale: 2 }, sourceType: "numeric(12,2)" },
      { ...column, name: "at", type: { kind: "timestamp", zone: true }, sourceType: "timestamptz" },
      { ...column, name: "note", type: { kind: "text" }, sourceType: "text", collation: "de_DE" },
    ],
    key: [0],
  };
}

function tablePart(name: string, state: TablePart["state"] = { kind: "planned" }): TablePart {
  return { state, incarnation: 1, fingerprint: "1:a:b:c", schema: schemaOf(name) };
}

function content(...parts: TablePart[]): RecordContent {
  return {
    source: { version: 1, identity: { system: "7", slot: "s" } },
    position: { position: "0/1", unsettled: ["12"] },
    tables: new Map(parts.map((part) => [part.schema.id, part])),
    history: [],
  };
}

const EMPTY: RecordContent = { source: null, position: null, tables: new Map(), history: [] };

/** As a store or a sink gives it back. */
function stored({ source, position, tables }: RecordContent): Map<string, Json> {
  const parts = new Map([
    [SOURCE_KEY, encodePart(source)],
    [POSITION_KEY, encodePart(position)],
    ...[...tables].map(([table, part]) => [tableKey(table), encodePart(part)] as const),
  ]);
  return new Map(Object.entries(JSON.parse(JSON.stringify(Object.fromEntries(parts))) as Record<string, Json>));
}

describe("the record's parts", () => {
  test("come back as they were, in every state of a table", async () => {
    const all = content(
      tablePart("a"),
      tablePart("b", { kind: "snapshotting", progress: null }),
      tablePart("c", {
        kind: "snapshotting",
        progress: { max: ["9", "é"], done: [{ lower: null, upper: ["5", ""] }], rows: 3 },
      }),
      tablePart("d", { kind: "streaming", rows: 12 }),
      tablePart("odd.Name", { kind: "stopped", code: "INTERNAL", message: "why", at: "0/1" }),
    );
    expect(await decodeParts(stored(all))).toEqual(all);
    expect(await decodeParts(new Map())).toEqual(EMPTY);
  });

  test("keep what the source needs of a table beside its shape, word for word", async () => {
    const part = tablePart("a", { kind: "streaming", rows: 1 });
    const defined = { ...part, schema: { ...part.schema, definition: { table: { key: ["id"] }, asOf: null } } };
    expect(await decodeParts(stored(content(defined)))).toEqual(content(defined));
  });

  test("are as many as there are, however they are sliced", async () => {
    const many = content(...Array.from({ length: 1_000 }, (_, i) => tablePart(`t${i}`)));
    expect(await decodeParts(stored(many))).toEqual(many);
  });

  test.each<[string, Record<string, Json>, string]>([
    ["a key nobody writes", { tabel: {} }, 'part "tabel" of the pipeline\'s record is damaged (no such part is known)'],
    ["a part of another shape", { position: { position: 1 } }, "unsettled"],
    ["a member too many", { source: { version: 1, identity: null, more: 1 } }, "more"],
    ["a state nobody knows", { "table/shop.a": { ...json(tablePart("a")), state: { kind: "paused" } } }, "state.kind"],
    ["a table under another's key", { "table/shop.b": json(tablePart("a")) }, "it holds the table shop.a"],
    [
      "a key column that does not exist",
      { "table/shop.a": json({ ...tablePart("a"), schema: { ...schemaOf("a"), key: [4] } }) },
      "a key column that does not exist",
    ],
    [
      "an id that is not the table's",
      { "table/shop.a": json({ ...tablePart("a"), schema: { ...schemaOf("b"), id: "shop.a" as TableId } }) },
      "an id that is not the table's",
    ],
  ])("%s is damage", async (_, parts, message) => {
    await expect(decodeParts(new Map(Object.entries(parts)))).rejects.toThrow(
      expect.objectContaining({ code: "RECORD_DAMAGED", message: expect.stringContaining(message) }),
    );
  });

  test("of a newer version are refused before anything else is looked at", async () => {
    const parts = new Map<string, Json>([
      ["unheard of", 1],
      ["source", { version: 2, where: "here" }],
    ]);
    await expect(decodeParts(parts)).rejects.toThrow(expect.objectContaining({ code: "CHECKPOINT_NEWER_FORMAT" }));
  });

  test("are keyed by the table's id", () => {
    expect(tableKey(tableId("shop", "Odd"))).toBe('table/shop."Odd"');
  });
});

function json(part: TablePart): { readonly [key: string]: Json } {
  return encodePart(part) as { readonly [key: string]: Json };
}
