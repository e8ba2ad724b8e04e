import { expect, it } from "vitest";
import {
  binlogDecoder,
  BinlogTail,
  decodeBinlog,
  decodedStatements,
  itemTexts,
  mysqlSchema,
} from "../../../../test/support/mysql-binlog.ts";
import { createMysqlDatabase } from "../../../../test/support/mysql.ts";
import { Random } from "../../../../test/support/random.ts";
import { EventType } from "./event.ts";

const DOCUMENTS = 40;
const CHANGES = 8;
/** Longer than all else in a document. */
const PADDING = 20_000;
const NAMES = ["a", "b", "aa", "z", "long name", 'quo"ted', "ünïcode", "dot.ted", "[0]", "back\\slash"];

/** Padded, so that a difference is always shorter than the whole. */
function randomDocument(random: Random): unknown {
  return { ...randomObject(random, 0), padding: "x".repeat(PADDING) };
}

function randomObject(random: Random, depth: number): Record<string, unknown> {
  const names = NAMES.filter(() => random.chance(0.6));
  return Object.fromEntries(names.map((name) => [name, randomValue(random, depth + 1)]));
}

function randomValue(random: Random, depth: number): unknown {
  const way = random.below(depth < 4 ? 10 : 7);
  if (way < 7)
    return [null, true, random.below(100_000) - 50_000, 1e300, -0.5, random.text(random.below(300)), ""][way];
  if (way === 7) return Array.from({ length: random.below(5) }, () => randomValue(random, depth + 1));
  return randomObject(random, depth);
}

/** To somewhere in the document, or just beside it. */
function randomPath(random: Random, document: unknown): string {
  let path = "$";
  for (let value = document; ;) {
    if (Array.isArray(value)) {
      const at = random.below(value.length + 1);
      if (random.chance(0.5)) {
        path += `[${at}]`;
        value = value[at] as unknown;
      } else {
        path += at === 0 ? "[last]" : `[last-${at}]`;
        value = value[value.length - 1 - at] as unknown;
      }
    } else if (typeof value === "object" && value !== null) {
      const name = random.pick(NAMES);
      path += `.${JSON.stringify(name)}`;
      value = (value as Record<string, unknown>)[name];
    } else return path;
    if (path !== "$" && random.chance(0.3)) return path;
  }
}

/** As SQL: a JSON value of any kind, not only what JSON texts have. */
function randomNew(random: Random): string {
  const literal = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
  return random.pick([
    () => `CAST(${literal(JSON.stringify(randomValue(random, 1)))} AS JSON)`,
    () => literal(random.text(random.below(40))),
    () => "18446744073709551615",
    () => "CAST('2024-02-29 12:34:56.789' AS DATETIME(6))",
    () => "CAST('-838:59:59' AS TIME)",
    () => "12345678901234567890.123456789",
    () => "x'00ff'",
    () => "1.5e0",
    () => "NULL",
  ])();
}

function randomChange(random: Random, document: unknown): string {
  const changes = 1 + random.below(3);
  let expression = "j";
  for (let i = 0; i < changes; i++) {
    const path = `'${randomPath(random, document).replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
    const call = random.pick(["JSON_SET", "JSON_SET", "JSON_REPLACE", "JSON_REMOVE"]);
    expression = `${call}(${expression}, ${path}${call === "JSON_REMOVE" ? "" : `, ${randomNew(random)}`})`;
  }
  return expression;
}

it("differences of JSON values make what the server has, to the letter", async () => {
  const random = new Random(Date.now() >>> 0);
  await using db = await createMysqlDatabase("mysql");
  await db.query("CREATE TABLE t (id int PRIMARY KEY, n int, j json, k json)");
  const schema = await mysqlSchema(db, "t");
  await db.query("SET SESSION binlog_row_value_options = 'PARTIAL_JSON'");
  const tail = await BinlogTail.open(db, "mysql");
  const expected: string[] = [];
  const statements: string[] = [];
  const row = async (op: string, id: number): Promise<string> => {
    const [found] = await db.query<{ text: string }>(
      "SELECT CONCAT_WS(',', id, n, CAST(j AS CHAR), CAST(k AS CHAR)) AS text FROM t WHERE id = ?",
      [id],
    );
    return `${op} ${found!.text}`;
  };
  for (let id = 1; id <= DOCUMENTS; id++) {
    const document = randomDocument(random);
    const text = JSON.stringify(document);
    await db.query("INSERT INTO t VALUES (?, 0, ?, '[1, 2]')", [id, text]);
    expected.push(await row("insert", id));
    for (let n = 1; n <= CHANGES; n++) {
      const statement = `UPDATE t SET n = ${n}, j = ${randomChange(random, document)} WHERE id = ${id}`;
      // Some paths are none, and a document may not become NULL by a removal of all of it.
      const changed = await db.query(statement).then(
        () => true,
        () => false,
      );
      if (!changed) continue;
      statements.push(statement);
      expected.push(await row("update", id));
    }
  }
  const events = await tail.events();
  const texts = itemTexts(await decodeBinlog(binlogDecoder("mysql", [schema]), events));
  const wrong = texts.findIndex((each, i) => each !== expected[i]);
  expect(
    wrong < 0 ? null : { got: texts[wrong], expected: expected[wrong], statement: statements.join("\n") },
  ).toBeNull();
  expect(texts).toHaveLength(expected.length);
  // Most have the document from before, and no other.
  const differences = events.filter((event) => event[4] === EventType.partialUpdateRows && event.length < 2 * PADDING);
  expect(differences.length).toBeGreaterThan(DOCUMENTS);
});

it("differences to a value that the log does not have leave it unknown, and its row is to be fetched", async () => {
  const statements = [
    "CREATE TABLE t (id int PRIMARY KEY, j json, n int)",
    "SET SESSION binlog_row_image = 'MINIMAL', SESSION binlog_row_value_options = 'PARTIAL_JSON'",
    `INSERT INTO t VALUES (1, '{"a": "${"x".repeat(200)}", "b": "y"}', 1)`,
    "UPDATE t SET j = JSON_SET(j, '$.b', 'z')",
    "UPDATE t SET n = 2",
    "UPDATE t SET id = 2, n = 3, j = JSON_SET(j, '$.b', 'a')",
  ];
  expect((await decodedStatements("mysql", statements)).slice(1)).toEqual([
    ...["delete 1,absent,absent", "moved 1,absent,absent"],
    "update 1,absent,2",
    ...["delete 1,absent,absent", "moved 2,absent,3"],
  ]);
});

it("differences are found from an array's end", async () => {
  const padding = "x".repeat(200);
  const statements = [
    "CREATE TABLE t (id int PRIMARY KEY, j json)",
    "SET SESSION binlog_row_value_options = 'PARTIAL_JSON'",
    `INSERT INTO t VALUES (1, '{"a": [1, [2, 3]], "p": "${padding}"}')`,
    "UPDATE t SET j = JSON_SET(j, '$.a[last][ last - 1 ]', 4)",
    "UPDATE t SET j = JSON_REMOVE(j, '$.a[last-1]')",
    "UPDATE t SET j = JSON_SET(j, '$.a[last-5]', 5)",
  ];
  expect((await decodedStatements("mysql", statements)).slice(1)).toEqual(
    ["[1, [4, 3]]", "[[4, 3]]", "[5, [4, 3]]"].map((a) => `update 1,{"a": ${a}, "p": "${padding}"}`),
  );
});
