import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { DuckDBInstance } from "@duckdb/node-api";
import { describe, expect, test } from "vitest";
import { typeLabel, type LogicalType } from "../../src/core/logical-type.ts";
import { quoteIdentifier, type TableSchema } from "../../src/core/table-schema.ts";
import { DUCKDB_DEFAULTS, DUCKDB_TUNING, type DuckdbTuning } from "../../src/sinks/duckdb/config.ts";
import { createDuckdbSink } from "../../src/sinks/duckdb/sink.ts";
import { projectRoot } from "../support/project-root.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { batch, column, table, type Cell } from "./batch.ts";
import { byText } from "./sink-model.ts";
import { killedAt, type Kill, type SinkHarness } from "./sink-harness.ts";
import { sinkConformance, TABLE } from "./sink.ts";
import { testAmbient } from "../support/test-ambient.ts";

function duckdbHarness(tuning: DuckdbTuning, primaryKey: boolean): SinkHarness {
  const folder = tempFolder();
  const path = folder.file("warehouse.duckdb");
  return {
    make: (failpoint) =>
      createDuckdbSink(
        { path, ...DUCKDB_DEFAULTS, primaryKey },
        testAmbient(failpoint === undefined ? {} : { failpoint }),
        tuning,
      ),
    rows: (schema) => readRows(path, schema),
    staged: null,
    changes: null,
    killedAt: (failpoint, nth) => killedAt({ kind: "duckdb", path }, failpoint, nth),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** Runs statements in the file, which no sink has open, and returns the rows of the last one. */
async function query(path: string, sql: string): Promise<(string | null)[][]> {
  const instance = await DuckDBInstance.create(path);
  const connection = await instance.connect();
  try {
    return (await connection.runAndReadAll(sql)).getRowsJS() as (string | null)[][];
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

async function readRows(path: string, schema: TableSchema): Promise<(string | null)[][]> {
  const tables = await query(path, "SELECT table_name FROM duckdb_tables()");
  if (!tables.some(([name]) => name === schema.name)) return [];
  const name = `${quoteIdentifier(schema.namespace)}.${quoteIdentifier(schema.name)}`;
  return (await query(path, `SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ${name}`)).sort(byText);
}

const applying: DuckdbTuning = { ...DUCKDB_TUNING, bufferRowsMax: 3 };
const folding: DuckdbTuning = { ...applying, changeRowsMax: 4, searchedPerChange: 0, searchedAtEnd: 0 };

/** The transaction's COMMIT decides: killed before it, nothing of the epoch is there. */
const DEATHS: readonly Kill[] = [
  ["sink.table-begun", 1, 0],
  ["sink.changes-applied", 1, 0],
  ["sink.record-written", 1, 0],
  ["sink.schema-applied", 1, 1],
  ["sink.changes-applied", 2, 1],
  ["sink.record-written", 2, 1],
];

const conformance = (name: string, tuning: DuckdbTuning, primaryKey: boolean): void =>
  sinkConformance(name, TABLE, () => duckdbHarness(tuning, primaryKey), DEATHS);
conformance("duckdb", DUCKDB_TUNING, false);
conformance("duckdb, by the appender", { ...DUCKDB_TUNING, feed: "appender" }, false);
conformance("duckdb, applying every few rows", applying, false);
conformance("duckdb, folding every few rows", folding, false);
conformance("duckdb, with primary keys", folding, true);
conformance("duckdb, with primary keys, applying", applying, true);

/** One column per type, its edge values, and how DuckDB and JavaScript each write a value as text. */
const TYPE_CASES: readonly {
  readonly type: LogicalType;
  readonly cells: readonly Cell[];
  readonly sql: string;
  readonly text: (cell: Cell) => string;
}[] = [
  { type: { kind: "bool" }, cells: [true, false], sql: "c::VARCHAR", text: String },
  { type: { kind: "int", bits: 16 }, cells: [-32_768, 32_767, 0], sql: "c::VARCHAR", text: String },
  { type: { kind: "int", bits: 32 }, cells: [-2_147_483_648, 2_147_483_647], sql: "c::VARCHAR", text: String },
  { type: { kind: "int", bits: 64 }, cells: [-(2n ** 63n), 2n ** 63n - 1n, 5n], sql: "c::VARCHAR", text: String },
  { type: { kind: "float", bits: 32 }, cells: [1.5, -0.25, NaN, Infinity], sql: "c::VARCHAR", text: floatText },
  { type: { kind: "float", bits: 64 }, cells: [1.5, -1024.0625, NaN, -Infinity], sql: "c::VARCHAR", text: floatText },
  ...[4, 9, 18, 38].map((precision) => ({
    type: { kind: "decimal", precision, scale: 2 } as const,
    cells: [10n ** BigInt(precision) - 1n, -(10n ** BigInt(precision)) + 1n, 0n, -1n],
    sql: "c::VARCHAR",
    text: (cell: Cell) => decimalText(cell as bigint),
  })),
  {
    type: { kind: "text" },
    cells: ["", "twelve bytes", "thirteen byte", "žluťoučký kůň", "\u0001"],
    sql: "c",
    text: String,
  },
  {
    type: { kind: "json" },
    cells: ['{"a":1,"a":2}', '"\\u0000"', '"\\ud800"', "1e400", "123456789012345678901234567890.10", " [1, 2 ] "],
    sql: "c::VARCHAR",
    text: String,
  },
  {
    type: { kind: "bytes" },
    cells: [new Uint8Array(), Uint8Array.of(0, 255, 92), new Uint8Array(4000).fill(7)],
    sql: "lower(hex(c))",
    text: (cell) => Buffer.from(cell as Uint8Array).toString("hex"),
  },
  {
    type: { kind: "uuid" },
    cells: [
      "00000000-0000-0000-0000-000000000000",
      "ffffffff-ffff-ffff-ffff-ffffffffffff",
      "01234567-89ab-cdef-fedc-ba9876543210",
    ],
    sql: "c::VARCHAR",
    text: String,
  },
  {
    type: { kind: "date" },
    cells: [0, -2_440_588, 19_000, -0x8000_0000, 0x7fff_ffff],
    sql: "CASE WHEN isfinite(c) THEN (c - DATE '1970-01-01')::VARCHAR ELSE c::VARCHAR END",
    text: (cell) => infinite(BigInt(cell as number), 31n) ?? String(cell),
  },
  { type: { kind: "time" }, cells: [0n, 86_400_000_000n, 1n], sql: "epoch_us(c)::VARCHAR", text: String },
  ...[true, false].map((zone) => ({
    type: { kind: "timestamp", zone } as const,
    cells: [
      0n,
      -210_863_520_000_000_000n,
      1_700_000_000_123_456n,
      -(2n ** 63n),
      2n ** 63n - 1n,
      -(2n ** 63n) + 2n ** 32n * 99n,
    ],
    sql: "CASE WHEN isfinite(c) THEN epoch_us(c)::VARCHAR ELSE c::VARCHAR END",
    text: (cell: Cell) => infinite(cell as bigint, 63n) ?? String(cell),
  })),
];

function floatText(cell: Cell): string {
  const value = cell as number;
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

function decimalText(unscaled: bigint): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(3, "0");
  return `${unscaled < 0n ? "-" : ""}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

function infinite(value: bigint, bits: bigint): string | null {
  if (value === -(2n ** bits)) return "-infinity";
  return value === 2n ** bits - 1n ? "infinity" : null;
}

const md5 = (texts: readonly (string | null)[]): string =>
  createHash("md5").update(JSON.stringify(texts)).digest("hex");

describe.each(["table-function", "appender"] as const)("every type by the %s", (feed) => {
  test("reads back as it was sent, md5 per column", async () => {
    await using folder = tempFolder();
    const path = folder.file("types.duckdb");
    const schema = table(
      "types",
      [column("id", { kind: "int", bits: 32 }), ...TYPE_CASES.map(({ type }, i) => column(`c${i}`, type))],
      [0],
    );
    // Uneven batches, so that vectors are filled from several and begin in the middle of others; every fifth cell null.
    const sizes = [1, 2047, 700, 3, 5000, 64, 9];
    const sink = createDuckdbSink({ path, ...DUCKDB_DEFAULTS }, testAmbient(), { ...DUCKDB_TUNING, feed });
    await sink.open("types", new AbortController().signal);
    await sink.beginTable(schema, 1, "create");
    const sent: (readonly Cell[])[] = [];
    for (const size of sizes) {
      const rows = Array.from({ length: size }, () => {
        const id = sent.length;
        const cells = TYPE_CASES.map(({ cells }, i) => ((id + i) % 5 === 0 ? null : cells[id % cells.length]!));
        sent.push([id, ...cells]);
        return { op: "upsert" as const, cells: [id, ...cells] };
      });
      await sink.write(batch(schema, rows));
    }
    await sink.commit({ pipeline: "types", epoch: 1, token: 1, parts: new Map() });
    await sink.close();
    const read = await query(
      path,
      `SELECT ${TYPE_CASES.map(({ sql }, i) => sql.replaceAll(/\bc\b/g, `c${i}`)).join(", ")} FROM shop.types ORDER BY id`,
    );
    for (const [i, { type, text }] of TYPE_CASES.entries()) {
      const expected = sent.map((row) => (row[i + 1] === null ? null : text(row[i + 1]!)));
      expect(`${typeLabel(type)} ${md5(read.map((row) => row[i]!))}`).toBe(`${typeLabel(type)} ${md5(expected)}`);
    }
  });
});

describe("a DuckDB file that cannot be had", () => {
  const open = async (path: string): Promise<void> => {
    const sink = createDuckdbSink({ path, ...DUCKDB_DEFAULTS }, testAmbient());
    await sink.open("p", new AbortController().signal);
    await sink.close();
  };

  test("open in another process: SINK_LOCKED, with its process id", async () => {
    await using folder = tempFolder();
    const path = folder.file("locked.duckdb");
    const script = `const {DuckDBInstance} = require("@duckdb/node-api"); DuckDBInstance.create(${JSON.stringify(path)}).then(() => console.log("open")); process.stdin.resume();`;
    const holder = spawn(process.execPath, ["-e", script], { cwd: projectRoot, stdio: ["pipe", "pipe", "inherit"] });
    try {
      await once(holder.stdout, "data");
      await expect(open(path)).rejects.toMatchObject({
        code: "SINK_LOCKED",
        message: expect.stringContaining(`process ${holder.pid}`) as string,
      });
    } finally {
      holder.kill("SIGKILL");
      await once(holder, "close");
    }
    await open(path);
  });

  test("not a database, a folder, in no folder", async () => {
    await using folder = tempFolder();
    const path = folder.file("text.duckdb");
    await writeFile(path, "something else");
    await expect(open(path)).rejects.toMatchObject({ code: "SINK_NOT_DUCKDB" });
    await expect(open(folder.path)).rejects.toMatchObject({ code: "SINK_UNOPENABLE" });
    await expect(open(folder.file("none/x.duckdb"))).rejects.toMatchObject({ code: "SINK_UNOPENABLE" });
    expect(await readFile(path, "utf8")).toBe("something else");
  });
});

describe("what the sink keeps for itself", () => {
  const id = column("id", { kind: "int", bits: 32 });

  test("a table begun anew without a key leaves no side table behind", async () => {
    await using folder = tempFolder();
    const path = folder.file("side.duckdb");
    const sink = createDuckdbSink({ path, ...DUCKDB_DEFAULTS }, testAmbient());
    await sink.open("p", new AbortController().signal);
    await sink.beginTable(table("orders", [id], [0]), 1, "create");
    await sink.beginTable(table("orders", [id], [], 2), 2, "truncate");
    await sink.commit({ pipeline: "p", epoch: 1, token: 1, parts: new Map() });
    await sink.close();
    expect(await query(path, "SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'touched%'")).toEqual([]);
  });

  test("a record has as many parts as it may, and each epoch those that it changes", async () => {
    await using folder = tempFolder();
    const path = folder.file("parts.duckdb");
    const parts = new Map<string, string | null>(Array.from({ length: 1200 }, (_, i) => [`part ${i}`, `'${i}' "é"`]));
    parts.set("long", "x".repeat(3 << 20));
    const changes = new Map<string, string | null>([
      ["part 7", "changed"],
      ["part 8", null],
      ["never there", null],
      ["new", ""],
    ]);
    const sink = createDuckdbSink({ path, ...DUCKDB_DEFAULTS }, testAmbient());
    await sink.open("p", new AbortController().signal);
    await sink.commit({ pipeline: "p", epoch: 1, token: 1, parts });
    await sink.commit({ pipeline: "p", epoch: 2, token: 1, parts: changes });
    await sink.commit({ pipeline: "p", epoch: 3, token: 1, parts: new Map([["long", null]]) });
    await sink.close();
    for (const [part, value] of [...changes, ["long", null] as const])
      if (value === null) parts.delete(part);
      else parts.set(part, value);
    const again = createDuckdbSink({ path, ...DUCKDB_DEFAULTS }, testAmbient());
    expect((await again.open("p", new AbortController().signal))?.parts).toEqual(parts);
    await again.close();
  });

  test("snapshots that end in one epoch have ended in the file, and no other has", async () => {
    await using folder = tempFolder();
    const path = folder.file("ended.duckdb");
    const tables = ["a", "b", "c", "keyless"].map((name) => table(name, [id], name === "keyless" ? [] : [0]));
    const sink = createDuckdbSink({ path, ...DUCKDB_DEFAULTS }, testAmbient());
    await sink.open("p", new AbortController().signal);
    for (const schema of tables) await sink.beginTable(schema, 1, "create");
    for (const schema of tables) await sink.write(batch(schema, [{ op: "upsert", cells: [1] }]));
    for (const { name, id } of tables) if (name !== "b") await sink.endSnapshot(id);
    await sink.commit({ pipeline: "p", epoch: 1, token: 1, parts: new Map() });
    await sink.close();
    const open = await query(path, "SELECT target_table FROM millrace.tables WHERE touched IS NOT NULL");
    expect(open).toEqual([["b"]]);
    expect(await query(path, "SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'touched%'")).toHaveLength(
      1,
    );
    const again = createDuckdbSink({ path, ...DUCKDB_DEFAULTS }, testAmbient());
    await again.open("p", new AbortController().signal);
    for (const schema of tables) await again.write(batch(schema, [{ op: "update", cells: [1] }]));
    await again.commit({ pipeline: "p", epoch: 2, token: 1, parts: new Map() });
    await again.close();
    for (const { name } of tables.slice(0, 3)) expect(await query(path, `SELECT id FROM shop.${name}`)).toEqual([[1]]);
  });

  test("a table that is altered behind its snapshot has ended it all the same", async () => {
    await using folder = tempFolder();
    const path = folder.file("altered.duckdb");
    const [first, second] = [table("t", [id], [0]), table("t", [id, column("n", id.type)], [0], 2)];
    const sink = createDuckdbSink({ path, ...DUCKDB_DEFAULTS }, testAmbient());
    await sink.open("p", new AbortController().signal);
    await sink.beginTable(first, 1, "create");
    await sink.write(batch(first, [{ op: "upsert", cells: [1] }]));
    await sink.endSnapshot(first.id);
    await sink.commit({ pipeline: "p", epoch: 1, token: 1, parts: new Map() });
    await sink.applySchema(second);
    await sink.write(batch(second, [{ op: "update", cells: [1, 2] }]));
    await sink.commit({ pipeline: "p", epoch: 2, token: 1, parts: new Map() });
    await sink.close();
    expect(await query(path, "SELECT touched FROM millrace.tables")).toEqual([[null]]);
    const again = createDuckdbSink({ path, ...DUCKDB_DEFAULTS }, testAmbient());
    expect((await again.open("p", new AbortController().signal))?.epoch).toBe(2);
    await again.close();
    expect(await query(path, "SELECT id, n FROM shop.t")).toEqual([[1, 2]]);
  });

  test("a record or a table's schema that cannot be read has a code", async () => {
    for (const [damage, code] of [
      ["UPDATE millrace.parts SET value = '{'", "RECORD_DAMAGED"],
      ["UPDATE millrace.tables SET source_schema = '{'", "SINK_DAMAGED"],
      ["INSERT INTO millrace.tables FROM millrace.tables", "SINK_DAMAGED"],
    ] as const) {
      await using folder = tempFolder();
      const path = folder.file("damaged.duckdb");
      const sink = createDuckdbSink({ path, ...DUCKDB_DEFAULTS }, testAmbient());
      await sink.open("p", new AbortController().signal);
      await sink.beginTable(table("orders", [id], [0]), 1, "create");
      await sink.commit({ pipeline: "p", epoch: 1, token: 1, parts: new Map([["position", "x"]]) });
      await sink.close();
      await query(path, damage);
      const again = createDuckdbSink({ path, ...DUCKDB_DEFAULTS }, testAmbient());
      await expect(again.open("p", new AbortController().signal)).rejects.toMatchObject({ code });
      await again.close();
    }
  });
});

describe("names in DuckDB", () => {
  test("that differ in case alone are refused; reserved schemas get a line behind them", async () => {
    await using folder = tempFolder();
    const path = folder.file("names.duckdb");
    const id = column("id", { kind: "int", bits: 32 });
    const sink = createDuckdbSink({ path, ...DUCKDB_DEFAULTS }, testAmbient());
    await sink.open("p", new AbortController().signal);
    await sink.beginTable(table("Orders", [id], [0]), 1, "create");
    const clash = { code: "SINK_NAME_CLASH" };
    await expect(sink.beginTable(table("orders", [id], [0]), 1, "create")).rejects.toMatchObject(clash);
    await expect(sink.beginTable(table("c", [id, column("ID", id.type)], [0]), 1, "create")).rejects.toMatchObject(
      clash,
    );
    const odd = table('we"ird.name', [column('o"dd', id.type)], [0], 1, "millrace");
    await sink.beginTable(odd, 1, "create");
    await sink.write(batch(odd, [{ op: "upsert", cells: [4] }]));
    await sink.commit({ pipeline: "p", epoch: 1, token: 1, parts: new Map() });
    await sink.close();
    expect(await query(path, 'SELECT "o""dd"::VARCHAR FROM millrace_."we""ird.name"')).toEqual([["4"]]);
  });

  test("a table or view that somebody else made is not touched", async () => {
    await using folder = tempFolder();
    const path = folder.file("views.duckdb");
    await query(path, "CREATE SCHEMA shop; CREATE VIEW shop.orders AS SELECT 1");
    const sink = createDuckdbSink({ path, ...DUCKDB_DEFAULTS }, testAmbient());
    await sink.open("p", new AbortController().signal);
    const orders = table("orders", [column("id", { kind: "int", bits: 32 })], [0]);
    await expect(sink.beginTable(orders, 1, "create")).rejects.toMatchObject({ code: "SINK_TABLE_EXISTS" });
    await sink.close();
  });
});
