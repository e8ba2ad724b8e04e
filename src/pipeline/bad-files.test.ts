import { describe, expect, test } from "vitest";
import { pipelineProblems as problemsOf } from "../../test/support/pipeline-problems.ts";

/** A good file, line by line; a case replaces lines of it, or the whole. */
const GOOD = `source:
  type: postgres
  hostname: localhost
  username: app
  password: \${PASSWORD}
  tables: shop.public.\\.*
sink:
  type: duckdb
  path: ./w.duckdb
pipeline:
  name: shop
`;

/** The good file with one line replaced (several, where the new text has more). */
const line = (from: string, to: string): string => {
  expect(GOOD).toContain(from);
  return GOOD.replace(from, () => to);
};
const source = (more: string): string => line("  hostname: localhost\n", `  hostname: localhost\n${more}\n`);
const sink = (more: string): string => line("  path: ./w.duckdb\n", `  path: ./w.duckdb\n${more}\n`);
/** The good file of the other source, with more options in line 7. */
const mysql = (more: string): string =>
  line("type: postgres", "type: mysql").replace("shop.public.\\.*\n", `shop.\\.*\n${more}\n`);
const pipeline = (more: string): string => `${GOOD}${more}\n`;

const INTERVAL = "a duration with its unit, like 200ms, 30s or 5min, from 50ms to 1h";

const YAML_CASES: Record<string, readonly [string, ...string[]]> = {
  "an empty file": ["", "p.yaml:1:1: the file is empty"],
  "comments alone": ["# nothing\n", "p.yaml:1:1: the file is empty"],
  "a list": ["- source\n", "p.yaml:1:1: a pipeline file is a mapping with the keys `source`, `sink` and `pipeline`"],
  "a word": ["hello", "p.yaml:1:1: a pipeline file is a mapping with the keys `source`, `sink` and `pipeline`"],
  "an empty mapping": [
    "{}",
    "p.yaml:1:1: `pipeline` is missing",
    "p.yaml:1:1: `sink` is missing",
    "p.yaml:1:1: `source` is missing",
  ],
  "two documents": [`${GOOD}---\na: 1\n`, "p.yaml:12:1: the file has a second document; a pipeline file is one"],
  "a tab": ["source:\n\ttype: postgres\n", "p.yaml:2:1: a tab indents this line; YAML is indented by spaces"],
  "a key twice": [source("  hostname: b"), "p.yaml:4:3: the key `hostname` stands here a second time"],
  "a list that does not end": [
    "source: [1\n",
    "p.yaml:2:1: not YAML: flow sequence in block collection must be sufficiently indented and end with a ]",
  ],
  "a quote that does not end": ['source: "x\n', 'p.yaml:2:1: not YAML: missing closing "quote'],
  "two values on a line": [
    "source: a: b\n",
    "p.yaml:1:9: not YAML: nested mappings are not allowed in compact mappings",
  ],
  "a tag nobody knows": [line("name: shop", "name: !secret shop"), "p.yaml:11:9: not YAML: unresolved tag: !secret"],
  "an alias of nothing": [line("name: shop", "name: *shop"), "p.yaml:11:9: nothing is marked `&shop` before this"],
  "an alias of itself": [
    `${GOOD}a: &a [*a]\n`,
    "p.yaml:12:1: unknown key `a`",
    "p.yaml:12:7: the file is nested too deep or too large",
  ],
  "a key that is a list": [`${GOOD}? [a]\n: b\n`, "p.yaml:12:3: a key here is a plain word"],
  "a variable in a flow mapping without quotes": [
    "source: {password: ${PASSWORD}}\n",
    'p.yaml:1:21: inside `{ }` and `[ ]`, a variable needs quotes: "${NAME}"',
  ],
};

const VARIABLE_CASES: Record<string, readonly [string, ...string[]]> = {
  "a missing variable": [
    line("${PASSWORD}", "${NOT_SET}"),
    "p.yaml:5:13: the environment variable `NOT_SET` is not set",
  ],
  "several in one text": [
    line("hostname: localhost", 'hostname: "db-${ZONE}.${REGION:-eu}.${DOMAIN}"'),
    "p.yaml:3:17: the environment variable `ZONE` is not set",
    "p.yaml:3:39: the environment variable `DOMAIN` is not set",
  ],
  "a reference that does not end": [
    line("${PASSWORD}", "${PASSWORD"),
    "p.yaml:5:13: `${` without its `}`; write `$${` for these characters themselves",
  ],
  "a reference that names nothing": [
    line("${PASSWORD}", "${1 2}"),
    "p.yaml:5:13: `${1 2}` does not name a variable; write `$${` for these characters themselves",
  ],
  "a variable set to nothing": [
    line("hostname: localhost", "hostname: ${EMPTY}"),
    "p.yaml:3:13: `hostname` takes a text, not the value of `${EMPTY}`",
  ],
  "a variable of the wrong type, not shown": [
    source("  port: ${SECRET_PORT}"),
    "p.yaml:4:9: `port` takes a whole number from 1 to 65535, not the value of `${SECRET_PORT}`",
  ],
};

const STRUCTURE_CASES: Record<string, readonly [string, ...string[]]> = {
  "an unknown section": [`${GOOD}sinks: 1\n`, "p.yaml:12:1: unknown key `sinks`; did you mean `sink`?"],
  "a section far from all": [`${GOOD}metrics: 1\n`, "p.yaml:12:1: unknown key `metrics`"],
  "transform and route": [
    `${GOOD}transform: []\nroute:\n  - source-table: a\n`,
    "p.yaml:12:1: `transform` is not supported yet; leave it out",
    "p.yaml:13:1: `route` is not supported yet; leave it out",
  ],
  "a flat key at the top": [
    `${GOOD}source.slot.name: a\n`,
    "p.yaml:12:1: write `slot.name: …` inside `source:` instead of `source.slot.name`",
  ],
  "a section without a value": [
    "source:\nsink: {type: discard}\npipeline: {name: a}\n",
    "p.yaml:1:1: `source` has no value",
  ],
  "a section that is a text": [
    "source: {type: postgres, hostname: h, username: u, password: p, tables: d.s.t}\nsink: duckdb\npipeline: {name: a}\n",
    "p.yaml:2:7: `sink` is a mapping of options, not a text",
  ],
  "a section that is a list": [
    line("pipeline:\n  name: shop", "pipeline:\n  - name: shop"),
    "p.yaml:11:3: `pipeline` is a mapping of options, not a list",
  ],
  "no type": [
    line("  type: duckdb\n", ""),
    "p.yaml:7:1: `type` is missing in `sink`: `duckdb`, `parquet` or `discard`",
  ],
  "a type nobody knows": [
    line("type: duckdb", "type: duckbd"),
    "p.yaml:8:9: `type` takes `duckdb`, `parquet` or `discard`, not `duckbd`; did you mean `duckdb`?",
  ],
  "a type for later": [
    line("type: postgres", "type: oracle"),
    "p.yaml:2:9: `type` takes `postgres` or `mysql`, not `oracle`",
  ],
  "tables of MySQL with a schema": [
    line("type: postgres", "type: mysql"),
    "p.yaml:6:11: a table pattern has two parts, database.table, not 3 (write the dot of a regular expression as \\.)",
  ],
  "options of MySQL": [
    GOOD.replace("type: postgres", "type: mysql").replace(
      "tables: shop.public.\\.*",
      "tables: shop.\\.*\n  server-id: 0\n  slot.name: x",
    ),
    "p.yaml:7:14: `server-id` takes a whole number from 1 to 4294967295, not `0`",
    "p.yaml:8:3: unknown key `slot.name` in `source`",
  ],
  "a type that is a list": [line("type: postgres", "type: [a]"), "p.yaml:2:3: `type` takes `postgres` or `mysql`"],
  "an unknown key": [source("  hostnam: a"), "p.yaml:4:3: unknown key `hostnam` in `source`; did you mean `hostname`?"],
  "another spelling": [
    source("  slotName: a"),
    "p.yaml:4:3: unknown key `slotName` in `source`; did you mean `slot.name`?",
  ],
  "nested keys": [
    source("  slot:\n    name: a"),
    "p.yaml:4:3: keys are written flat: `slot.name: …` instead of a mapping under `slot`",
  ],
  "nested keys of another name": [
    pipeline("  checkpoint: {every: 1s}"),
    "p.yaml:12:3: keys are written flat: `checkpoint.interval: …`, `checkpoint.max-rows: …`, `checkpoint.store: …` instead of a mapping under `checkpoint`",
  ],
  "a merge key": [pipeline("  <<: 1"), "p.yaml:12:3: unknown key `<<` in `pipeline`"],
  "the prototype's names": [
    pipeline("  constructor: 1\n  __proto__: 2"),
    "p.yaml:12:3: unknown key `constructor` in `pipeline`",
    "p.yaml:13:3: unknown key `__proto__` in `pipeline`",
  ],
  "an option of Flink CDC": [
    source("  heartbeat.interval: 30s\n  jdbc.properties.useSSL: false"),
    "p.yaml:4:3: `heartbeat.interval` is not supported yet; leave it out",
    "p.yaml:5:3: `jdbc.properties.useSSL` is not supported yet; leave it out",
  ],
  "an option of Flink CDC's pipeline": [
    pipeline("  schema.change.behavior: evolve"),
    "p.yaml:12:3: `schema.change.behavior` is not supported yet; leave it out",
  ],
  "missing keys": [
    "source: {type: postgres}\nsink: {type: duckdb}\npipeline: {}\n",
    "p.yaml:1:1: `hostname` is missing in `source`",
    "p.yaml:1:1: `password` is missing in `source`",
    "p.yaml:1:1: `tables` is missing in `source`",
    "p.yaml:1:1: `username` is missing in `source`",
    "p.yaml:2:1: `path` is missing in `sink`",
    "p.yaml:3:1: `name` is missing in `pipeline`",
  ],
};

const VALUE_CASES: Record<string, readonly [string, ...string[]]> = {
  "a key without a value": [line("hostname: localhost", "hostname:"), "p.yaml:3:3: `hostname` has no value"],
  "an empty text": [line("localhost", '""'), "p.yaml:3:14: `hostname` takes a text, not an empty text"],
  "a list for a text": [line("localhost", "[a, b]"), "p.yaml:3:13: `hostname` takes a text, not a list"],
  "a mapping for a number": [
    source("  port: {a: 1}"),
    "p.yaml:4:9: `port` takes a whole number from 1 to 65535, not a mapping",
  ],
  "a text for a number": [
    source("  port: http"),
    "p.yaml:4:9: `port` takes a whole number from 1 to 65535, not `http`",
  ],
  "a number too large": [
    source("  port: 65536"),
    "p.yaml:4:9: `port` takes a whole number from 1 to 65535, not `65536`",
  ],
  "a fraction": [
    pipeline("  parallelism: 1.5"),
    "p.yaml:12:16: `parallelism` takes a whole number from 1 to 64, not `1.5`",
  ],
  "a duration without a unit": [
    pipeline("  checkpoint.interval: 1000"),
    `p.yaml:12:24: \`checkpoint.interval\` takes ${INTERVAL}, not \`1000\``,
  ],
  "a duration of unknown units": [
    pipeline("  checkpoint.interval: 3 weeks"),
    `p.yaml:12:24: \`checkpoint.interval\` takes ${INTERVAL}, not \`3 weeks\``,
  ],
  "a duration too short": [
    pipeline("  checkpoint.interval: 1ms"),
    `p.yaml:12:24: \`checkpoint.interval\` takes ${INTERVAL}, not \`1ms\``,
  ],
  "an ISO duration": [
    pipeline("  checkpoint.interval: PT1S"),
    `p.yaml:12:24: \`checkpoint.interval\` takes ${INTERVAL}, not \`PT1S\``,
  ],
  "a size without a unit": [
    sink("  memory.limit: 256"),
    "p.yaml:10:17: `memory.limit` takes a size with its unit, like 64MB or 1GiB, at least 64MB, not `256`",
  ],
  "a size too small": [
    sink("  memory.limit: 1MB"),
    "p.yaml:10:17: `memory.limit` takes a size with its unit, like 64MB or 1GiB, at least 64MB, not `1MB`",
  ],
  "a flag that is none": [sink("  primary-key: yes"), "p.yaml:10:16: `primary-key` takes true or false, not `yes`"],
  "memory instead of a file": [
    line("./w.duckdb", "':memory:'"),
    "p.yaml:9:10: `path` takes the path of a file, not `:memory:`",
  ],
  "a slot name in capitals": [
    source("  slot.name: MySlot"),
    "p.yaml:4:14: `slot.name` takes a PostgreSQL name: lower-case letters, digits and underscores, at most 63, not `MySlot`",
  ],
  "a misspelt word": [
    source("  ssl.mode: requier"),
    "p.yaml:4:13: `ssl.mode` takes `disable`, `require` (encrypted, the certificate unchecked) or `verify-full`, not `requier`; did you mean `require`?",
  ],
  "a start mode that is none": [
    source("  scan.startup.mode: latest"),
    "p.yaml:4:22: `scan.startup.mode` takes `initial`, `latest-offset` or `snapshot`, not `latest`",
  ],
  "a start in an older log of PostgreSQL": [
    source("  scan.startup.mode: earliest-offset"),
    "p.yaml:4:22: `scan.startup.mode: earliest-offset` is for MySQL and MariaDB: a replication slot of PostgreSQL has no log from before it was made; use `initial`, `latest-offset` or `snapshot`",
  ],
  "an offset of a start without it": [
    mysql("  scan.startup.specific-offset.file: binlog.000003"),
    "p.yaml:7:38: `scan.startup.specific-offset.file` goes with `scan.startup.mode: specific-offset`",
  ],
  "a time of a start without it": [
    mysql("  scan.startup.mode: latest-offset\n  scan.startup.timestamp-millis: 1"),
    "p.yaml:8:34: `scan.startup.timestamp-millis` goes with `scan.startup.mode: timestamp`",
  ],
  "a start at a time that is not named": [
    mysql("  scan.startup.mode: timestamp"),
    "p.yaml:7:22: `scan.startup.mode: timestamp` needs `scan.startup.timestamp-millis`",
  ],
  "a start at half an offset": [
    mysql("  scan.startup.mode: specific-offset\n  scan.startup.specific-offset.pos: 4"),
    "p.yaml:7:22: `scan.startup.mode: specific-offset` needs `scan.startup.specific-offset.file` and `scan.startup.specific-offset.pos`, or `scan.startup.specific-offset.gtid-set`",
  ],
  "a start at two offsets": [
    mysql(
      "  scan.startup.mode: specific-offset\n  scan.startup.specific-offset.pos: 4\n  scan.startup.specific-offset.gtid-set: 0-1-2",
    ),
    "p.yaml:9:42: name a place by `scan.startup.specific-offset.file` and `scan.startup.specific-offset.pos` or by `scan.startup.specific-offset.gtid-set`, not by both",
  ],
  "offsets that are none": [
    mysql(
      "  scan.startup.mode: specific-offset\n  scan.startup.specific-offset.pos: 3\n  scan.startup.specific-offset.file: binlog\n  scan.startup.specific-offset.gtid-set: 0-1",
    ),
    "p.yaml:8:37: `scan.startup.specific-offset.pos` takes a whole number from 4 to 999999999999999, not `3`",
    "p.yaml:9:38: `scan.startup.specific-offset.file` takes the name of a binlog file, like `binlog.000003`, not `binlog`",
    "p.yaml:10:42: `scan.startup.specific-offset.gtid-set` takes a set of GTIDs, like `3e11fa47-71ca-11e1-9e33-c80aa9429562:1-23` on MySQL or `0-1-23` on MariaDB, not `0-1`",
  ],
  "a policy nobody knows": [
    source("  unrepresentable-values: NULL"),
    "p.yaml:4:27: `unrepresentable-values` takes `error`, `null` or `text`, not `NULL`; did you mean `null`?",
  ],
  "a pipeline name with a slash": [
    line("name: shop", "name: a/b"),
    "p.yaml:11:9: `name` takes letters, digits, spaces, `_`, `-` and `.`, at most 100, with a letter or digit at both ends, not `a/b`",
  ],
  "a policy without a value": [
    source("  unrepresentable-values:"),
    "p.yaml:4:3: `unrepresentable-values` has no value",
  ],
  "a null that is none of the words": [line("localhost", "null"), "p.yaml:3:3: `hostname` has no value"],
  "a password that is a mapping": [
    line("${PASSWORD}", "{a: hunter2}"),
    "p.yaml:5:13: `password` takes a text, not a mapping",
  ],
};

const TABLE_CASES: Record<string, readonly [string, ...string[]]> = {
  "no tables": [
    line("shop.public.\\.*", "[]"),
    "p.yaml:6:11: `tables` takes table patterns, `database.schema.table`, separated by commas or as a list, not an empty list",
  ],
  "two parts": [
    line("shop.public.\\.*", "public.orders"),
    "p.yaml:6:11: a table pattern has three parts, database.schema.table, not 2 (write the dot of a regular expression as \\.)",
  ],
  "an empty pattern": [line("\\.*", "a, "), "p.yaml:6:25: a table pattern is empty"],
  "not a regular expression": [line("\\.*", "a(,shop.public.b"), 'p.yaml:6:23: "a(" is not a regular expression'],
  "in a list": [
    line("shop.public.\\.*", "\n  - shop.public.a\n  - shop.b"),
    "p.yaml:8:5: a table pattern has three parts, database.schema.table, not 2 (write the dot of a regular expression as \\.)",
  ],
  "a list of mappings": [
    line("shop.public.\\.*", "[{a: b}]"),
    "p.yaml:6:12: `tables` takes table patterns, `database.schema.table`, separated by commas or as a list, not a mapping",
  ],
  "two databases": [
    line("\\.*", "a,crm.public.b"),
    "p.yaml:6:11: all tables of one pipeline are in one database: `shop` or `crm`, not both",
  ],
  "an expression for the database": [
    line("shop.public.\\.*", "sh[op]+.public.a"),
    "p.yaml:6:11: the database of a table pattern is a plain name, not the expression `sh[op]+`",
  ],
};

describe.each([
  ["YAML", YAML_CASES],
  ["variables", VARIABLE_CASES],
  ["structure", STRUCTURE_CASES],
  ["values", VALUE_CASES],
  ["tables", TABLE_CASES],
])("%s", (_, cases) => {
  test.each(Object.entries(cases))("%s", (_name, [text, ...expected]) => {
    expect(problemsOf(text)).toEqual(expected);
  });
});

test("the file that the cases change is good", () => {
  expect(problemsOf(GOOD)).toEqual([]);
});

test("everything wrong is told at once, in the order of the file", () => {
  const text = `source:
  type: postgres
  hostnme: localhost
  port: 99999
  password: \${NOT_SET}
  tables: [shop.public.a, public.b]
sink:
  type: duckdb
  path: w.duckdb
  memory.limit: lots
route: []
pipeline:
  name: shop
  parallelism: 0
`;
  expect(problemsOf(text)).toEqual([
    "p.yaml:1:1: `hostname` is missing in `source`",
    "p.yaml:1:1: `username` is missing in `source`",
    "p.yaml:3:3: unknown key `hostnme` in `source`; did you mean `hostname`?",
    "p.yaml:4:9: `port` takes a whole number from 1 to 65535, not `99999`",
    "p.yaml:5:13: the environment variable `NOT_SET` is not set",
    "p.yaml:6:27: a table pattern has three parts, database.schema.table, not 2 (write the dot of a regular expression as \\.)",
    "p.yaml:10:17: `memory.limit` takes a size with its unit, like 64MB or 1GiB, at least 64MB, not `lots`",
    "p.yaml:11:1: `route` is not supported yet; leave it out",
    "p.yaml:14:16: `parallelism` takes a whole number from 1 to 64, not `0`",
  ]);
});

test("aliases of aliases do not take the machine", () => {
  const levels = Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(", ")}]`);
  const problems = problemsOf(["a0: &a0 [x]", ...levels, GOOD].join("\n"));
  expect(problems.some((problem) => problem.includes("the file is nested too deep or too large"))).toBe(true);
});

test("a huge file is refused unread", () => {
  expect(problemsOf(`${GOOD}# ${"x".repeat(262_144)}\n`)).toEqual(["p.yaml:1:1: the file is larger than 256 KiB"]);
});
