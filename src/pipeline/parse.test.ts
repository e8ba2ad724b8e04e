import { inspect } from "node:util";
import { expect, test } from "vitest";
import { nearest } from "./nearest.ts";
import { parquetOptions } from "./parquet-keys.ts";
import { parsePipeline } from "./parse.ts";
import { postgresName } from "./postgres-keys.ts";
import type { PipelineSpec } from "./spec.ts";
import { substitute } from "./substitution.ts";
import { parseDurationMs, parseSizeBytes } from "./units.ts";

const parse = (text: string, environment: Record<string, string> = {}): PipelineSpec =>
  parsePipeline(text, { file: "p.yaml", folder: "/etc/millrace", environment });

const WHOLE = `
source:
  type: postgres
  hostname: db.example.com
  port: "5433"
  username: app
  password: "a: \${P}$\${x}"
  tables:
    - shop.public.orders
    - shop.sales.\\.*, shop.public.customers
  tables.exclude: shop.sales.tmp_\\.*
  slot.name: my_slot
  publication.name: my_pub
  decoding.plugin.name: pgoutput
  ssl.mode: verify-full
  connect.timeout: 5s
  connect.max-retries: 0
  lock.timeout: 200ms
  complete.timeout: 5min
  scan.startup.mode: initial
  scan.incremental.snapshot.chunk.size: 5000
  unrepresentable-values: null
sink:
  type: duckdb
  path: ../out/w.duckdb
  memory.limit: 1GiB
  threads: 4
  primary-key: true
pipeline:
  name: Shop to Lake
  parallelism: 8
  checkpoint.interval: 1.5s
  checkpoint.max-rows: 1000
  checkpoint.store: /var/lib/millrace
`;

test("every option arrives, with its unit resolved", () => {
  const { source, sink, ...settings } = parse(WHOLE, { P: "5" });
  const { password, tables, tablesExclude, ...rest } = source;
  expect(password.reveal()).toBe("a: 5${x}");
  expect(tables.map((pattern) => pattern.text)).toEqual([
    "shop.public.orders",
    "shop.sales..*",
    "shop.public.customers",
  ]);
  expect(tablesExclude.map((pattern) => pattern.text)).toEqual(["shop.sales.tmp_.*"]);
  expect(rest).toEqual({
    type: "postgres",
    hostname: "db.example.com",
    port: 5433,
    username: "app",
    database: "shop",
    slotName: "my_slot",
    publicationName: "my_pub",
    ssl: "verify",
    connectTimeoutMs: 5000,
    connectRetriesMax: 0,
    lockTimeoutMs: 200,
    completeTimeoutMs: 300_000,
    chunkRows: 5000,
    unrepresentable: "null",
    startup: { kind: "initial" },
  });
  expect(sink).toEqual({
    type: "duckdb",
    path: "/etc/out/w.duckdb",
    memoryLimitBytes: 1_073_741_824,
    threads: 4,
    primaryKey: true,
  });
  expect(settings).toEqual({
    file: "p.yaml",
    name: "Shop to Lake",
    parallelism: 8,
    executor: { kind: "local" },
    checkpointIntervalMs: 1500,
    checkpointRowsMax: 1000,
    checkpoint: { kind: "files" },
    folder: "/var/lib/millrace/Shop%20to%20Lake",
  });
});

test("a start is named by its mode and what belongs to it", () => {
  const startup = (more: string): unknown =>
    parse(
      `source: {type: mysql, hostname: h, username: u, password: p, tables: d.t${more}}\nsink: {type: discard}\npipeline: {name: a}`,
    ).source.startup;
  const offset = "scan.startup.specific-offset";
  expect(startup("")).toEqual({ kind: "initial" });
  expect(startup(", scan.startup.mode: earliest-offset")).toEqual({ kind: "earliest" });
  expect(startup(", scan.startup.mode: timestamp, scan.startup.timestamp-millis: 1700000000123")).toEqual({
    kind: "timestamp",
    ms: 1_700_000_000_123,
  });
  expect(
    startup(`, scan.startup.mode: specific-offset, ${offset}.file: binlog.000012, ${offset}.pos: 5000000000`),
  ).toEqual({ kind: "file", file: "binlog.000012", offset: 5_000_000_000 });
  const uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
  for (const gtids of [`${uuid}:1-23`, `${uuid}:1-5:7,\n${uuid.replace("3", "4")}:tag:9`, "0-1-23,5-1-7"])
    expect(startup(`, scan.startup.mode: specific-offset, ${offset}.gtid-set: "${gtids.replace("\n", " ")}"`)).toEqual({
      kind: "gtids",
      gtids: gtids.replace("\n", " "),
    });
});

test("a Parquet sink has its place, its partitions and its secrets", () => {
  const lake = (sink: string): PipelineSpec["sink"] =>
    parse(SHORT.replace("{type: discard}", `{type: parquet, ${sink}}`), { K: "hunter2" }).sink;
  expect(lake("path: ../lake")).toEqual({
    type: "parquet",
    place: { kind: "folder", path: "/etc/lake" },
    layout: "{schema}/{table}",
    partitions: [],
    compression: "zstd",
    fileBytesMax: 128_000_000,
    rowGroupBytesMax: 32 << 20,
    pageBytes: 1 << 20,
    beforeImages: false,
  });
  const s3 = lake(
    "path: s3://shop/lake, s3.endpoint: 'http://localhost:9000', s3.access-key-id: me, s3.secret-access-key: '${K}'",
  );
  expect(s3).toMatchObject({
    place: { kind: "s3", bucket: "shop", prefix: "lake/", endpoint: "http://localhost:9000", pathStyle: true },
  });
  expect(inspect(s3, { depth: 9 }) + JSON.stringify(s3)).not.toContain("hunter2");
  expect(s3.type === "parquet" && parquetOptions(s3).location).toMatchObject({
    credentials: { accessKeyId: "me", secretAccessKey: "hunter2" },
  });
  expect(lake("path: s3://shop")).toMatchObject({ place: { prefix: "", endpoint: null, pathStyle: false } });
  const parted = lake("path: l, partition.by: {'shop.orders': 'region, day(created at)', '*': hour}");
  expect(parted.type === "parquet" && parted.partitions).toEqual([
    {
      tables: [{ schema: "shop", table: "orders" }],
      by: [
        { kind: "column", column: "region", unit: "identity" },
        { kind: "column", column: "created at", unit: "day" },
      ],
    },
    { tables: null, by: [{ kind: "commit", unit: "hour" }] },
  ]);
});

const SHORT = `
source: {type: postgres, hostname: h, username: 12, password: &p 0123, tables: 'd.s.t'}
sink: {type: discard}
pipeline: {name: *p}
`;

test("what is left out has its default", () => {
  const spec = parse(SHORT);
  expect(spec).toMatchObject({ parallelism: 2, checkpointIntervalMs: 1000, checkpointRowsMax: null });
  expect(spec.folder).toBe("/etc/millrace/.millrace/0123");
  expect(spec.sink).toEqual({ type: "discard" });
  expect(spec.source).toMatchObject({
    port: 5432,
    slotName: "millrace_0123",
    ssl: "disable",
    unrepresentable: "error",
  });
});

test("scalars without quotes are taken as written, and anchors may be used", () => {
  const spec = parse(SHORT);
  expect(spec.source.username).toBe("12");
  expect(spec.source.password.reveal()).toBe("0123");
  expect(spec.name).toBe("0123");
});

test("a password never prints", () => {
  const spec = parse(WHOLE, { P: "swordfish" });
  expect(inspect(spec, { depth: 9, showHidden: true })).not.toContain("swordfish");
  expect(JSON.stringify(spec)).toContain('"password":"***"');
  expect(String(spec.source.password)).toBe("***");
});

test("variables, defaults and escapes", () => {
  const at = (text: string): string => substitute(text, { A: "1", EMPTY: "" }).text;
  expect(at("${A}${A}")).toBe("11");
  expect(at("x${B:-y}z${EMPTY:-e}${A:-n}")).toBe("xyze1");
  expect(at("[${EMPTY}]")).toBe("[]");
  expect(at("${B:-}")).toBe("");
  expect(at("$${A} $A ${A}")).toBe("${A} $A 1");
  expect(substitute("${toString}", {}).problems).toHaveLength(1);
});

test("what a variable holds is not looked into again", () => {
  expect(substitute("${A}", { A: "${B}", B: "no" }).text).toBe("${B}");
});

test("durations and sizes need their unit", () => {
  expect(["200ms", "1s", "5 min", "1h", "0.5s", "2 D"].map(parseDurationMs)).toEqual([
    200, 1000, 300_000, 3_600_000, 500, 172_800_000,
  ]);
  expect(["1", "s", "-1s", "1e3s", "1 s s", ""].map(parseDurationMs)).toEqual([null, null, null, null, null, null]);
  expect(["64MB", "1GiB", "10 kb", "7B", "1.5MiB"].map(parseSizeBytes)).toEqual([64e6, 2 ** 30, 10_000, 7, 1_572_864]);
  expect(["64", "1 XB", "constructor"].map(parseSizeBytes)).toEqual([null, null, null]);
});

test("the nearest word", () => {
  const words = ["hostname", "port", "slot.name", "password"];
  expect(
    ["hostnaem", "slotname", "Slot_Name", "pasword", "prot", "x", "y".repeat(5000)].map((word) => nearest(word, words)),
  ).toEqual(["hostname", "slot.name", "slot.name", "password", "port", null, null]);
});

test("a slot's default name is a PostgreSQL name, and two pipelines' never the same", () => {
  expect(postgresName("shop_2")).toBe("millrace_shop_2");
  const odd = ["Shop", "shop ", "a".repeat(60), `${"a".repeat(60)}b`].map(postgresName);
  for (const name of odd) expect(name).toMatch(/^millrace_[a-z0-9_]{1,54}$/);
  expect(new Set([...odd, postgresName("shop")]).size).toBe(5);
});

test("a wrong type that comes from a variable is not shown: it may be a secret", () => {
  const text = WHOLE.replace("type: postgres", "type: my${P}");
  expect(() => parse(text, { P: "swordfish" })).toThrow("`type` takes `postgres` or `mysql`, not the value of `${P}`");
});

test("a checkpoint in Redis: its URL is read, and never shown with its password", () => {
  const redis = (url: string): PipelineSpec =>
    parse(WHOLE.replace("checkpoint.store: /var/lib/millrace", `checkpoint.store: "${url}"`), { P: "" });
  const spec = redis("redis://app:se/cret@cache:6380/2");
  expect(spec.folder).toBe("/etc/millrace/.millrace/Shop%20to%20Lake");
  expect(spec.checkpoint).toMatchObject({
    kind: "redis",
    redis: { nodes: [{ host: "cache", port: 6380 }], database: 2, username: "app" },
  });
  expect(JSON.stringify(spec)).not.toContain("cret");
  for (const url of ["redis://app:se/cret@cache:638000", "redis://app:se/cret@one,two", "http://app:se/cret@cache"]) {
    let message = "";
    try {
      redis(url);
    } catch (error) {
      message = String(error);
    }
    expect(message).toContain("`checkpoint.store` takes");
    expect(message).not.toContain("cret");
  }
});
