import { describe, expect, it } from "vitest";
import { decodeLog, logDecoder } from "../../../test/support/postgres-decoding.ts";
import { changes, LogFixture, story } from "../../../test/support/postgres-log.ts";
import { MillraceError } from "../../core/errors.ts";
import type { LogItem } from "../../core/line.ts";
import type { LogDecoderOptions } from "./log-decoder.ts";
import type { RelationMessage } from "./pgoutput.ts";
import { formatLsn, parseLsn, PgPosition, type PgTransaction, pgLsn, xid64 } from "./position.ts";

const LARGE = (letter: string): string =>
  `(SELECT string_agg(md5('${letter}' || i), '') FROM generate_series(1, 300) i)`;

describe.each(["newest", "oldest"] as const)("the log of a table (%s)", (version) => {
  it("is one batch over many transactions, with a run for each and the commit of each", async () => {
    await using log = await LogFixture.on(version, "CREATE TABLE a (id int PRIMARY KEY, v text)");
    await log.run(
      "INSERT INTO a VALUES (1, 'x'), (2, NULL)",
      "UPDATE a SET v = 'y' WHERE id = 2",
      "DELETE FROM a WHERE id = 1",
    );
    const { rows } = await log.client.query<{ xid: string; head: string }>(
      "SELECT xmin::text AS xid, pg_current_wal_insert_lsn()::text AS head FROM a",
    );
    const items = await log.items();
    expect(items.map((item) => item.kind)).toEqual(["rows", "progress"]);
    const [first, last] = items;
    if (first?.kind !== "rows" || last?.kind !== "progress") throw new Error("other items");
    expect(changes(first.batch)).toEqual(["insert 1 x", "insert 2 null", "update 2 y", "delete 1 absent"]);
    expect(first.batch.runs.map((run) => run.firstRow)).toEqual([0, 2, 3]);
    const transactions = first.batch.runs.map((run) => run.transaction as PgTransaction);
    expect(transactions[1]!.id).toBe(rows[0]!.xid);
    expect(transactions[0]!.commitLsn).toBeLessThan(transactions[1]!.commitLsn);
    expect(transactions.every((transaction) => last.position.has(transaction))).toBe(true);
    expect((last.position as PgPosition).lsn).toBeLessThanOrEqual(parseLsn(rows[0]!.head));
    expect(Math.abs(last.commitTimeMs! - Date.now())).toBeLessThan(60_000);
  });

  it("leaves unchanged TOAST values absent, also where the key moves", async () => {
    await using log = await LogFixture.on(
      version,
      "CREATE TABLE a (id int PRIMARY KEY, big text, n int)",
      "ALTER TABLE a ALTER big SET STORAGE EXTERNAL",
      `INSERT INTO a VALUES (1, ${LARGE("a")}, 1)`,
    );
    await log.run(
      "UPDATE a SET n = 2",
      "UPDATE a SET id = 5",
      `UPDATE a SET big = 'small', id = 6`,
      "UPDATE a SET big = NULL",
    );
    expect(story(await log.items())).toEqual([
      [
        "a v1",
        "update 1 absent 2",
        "delete 1 absent absent",
        "moved 5 absent 2",
        "delete 5 absent absent",
        "insert 6 small 2",
        "update 6 null 2",
      ],
    ]);
  });

  it("fills unchanged TOAST values from the old row under REPLICA IDENTITY FULL", async () => {
    await using log = await LogFixture.on(
      version,
      "CREATE TABLE a (id int PRIMARY KEY, big text, n int)",
      "ALTER TABLE a ALTER big SET STORAGE EXTERNAL",
      "ALTER TABLE a REPLICA IDENTITY FULL",
      `INSERT INTO a VALUES (1, ${LARGE("a")}, 1)`,
    );
    await log.run("UPDATE a SET n = 2", "UPDATE a SET id = 5", "DELETE FROM a");
    expect(story(await log.items())).toEqual([
      ["a v1", "update 1 8a8…9600 2", "delete 1 absent absent", "insert 5 8a8…9600 2", "delete 5 absent absent"],
    ]);
  });

  it("takes a key value that was stored out of line from the old row", async () => {
    await using log = await LogFixture.on(
      version,
      "CREATE TABLE a (id text PRIMARY KEY, pad text, n int)",
      "ALTER TABLE a ALTER id SET STORAGE EXTERNAL",
      "ALTER TABLE a ALTER pad SET STORAGE PLAIN",
      "INSERT INTO a VALUES (repeat('k', 2500), repeat('p', 1000), 1)",
    );
    await log.run("UPDATE a SET n = 2");
    expect(story(await log.items())).toEqual([["a v1", "update kkk…2500 ppp…1000 2"]]);
  });

  it("moves rows by any column of a composite key, and only by those", async () => {
    await using log = await LogFixture.on(version, "CREATE TABLE a (b text, v int, a int, PRIMARY KEY (a, b))");
    await log.run(
      "INSERT INTO a VALUES ('x', 1, 1)",
      "UPDATE a SET v = 2, a = 1",
      "UPDATE a SET b = 'y'",
      "UPDATE a SET a = 2",
    );
    expect(story(await log.items())).toEqual([
      [
        "a v1",
        "insert x 1 1",
        "update x 2 1",
        "delete x absent 1",
        "insert y 2 1",
        "delete y absent 1",
        "insert y 2 2",
      ],
    ]);
  });

  it("carries whole rows where there is no key", async () => {
    await using log = await LogFixture.on(
      version,
      "CREATE TABLE a (v text, big text)",
      "ALTER TABLE a ALTER big SET STORAGE EXTERNAL",
      "ALTER TABLE a REPLICA IDENTITY FULL",
    );
    await log.run(
      `INSERT INTO a VALUES ('x', ${LARGE("a")}), (NULL, NULL)`,
      "UPDATE a SET v = 'y' WHERE v = 'x'",
      "DELETE FROM a",
    );
    expect(story(await log.items())).toEqual([
      [
        "a v1",
        "insert x 8a8…9600",
        "insert null null",
        "delete x 8a8…9600",
        "insert y 8a8…9600",
        "delete null null",
        "delete y 8a8…9600",
      ],
    ]);
  });

  it("puts a truncate between the rows before and behind it, for each table of the statement", async () => {
    await using log = await LogFixture.on(
      version,
      "CREATE TABLE a (id int PRIMARY KEY)",
      "CREATE TABLE b (id int PRIMARY KEY)",
    );
    await log.run(
      "INSERT INTO a VALUES (1)",
      "INSERT INTO a VALUES (2); INSERT INTO b VALUES (1); TRUNCATE a, b; INSERT INTO a VALUES (3)",
    );
    expect(story(await log.items())).toEqual([
      ["a v1", "insert 1"],
      ["a v1", "insert 2"],
      "truncate public.a",
      ["b v1", "insert 1"],
      "truncate public.b",
      ["a v1", "insert 3"],
    ]);
  });
});

describe("added columns", () => {
  it("are known before their transaction, and after all rows of the ones before it", async () => {
    await using log = await LogFixture.open(
      "CREATE TABLE a (id int PRIMARY KEY)",
      "CREATE TABLE b (id int PRIMARY KEY)",
    );
    await log.run(
      "INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)",
      `INSERT INTO a VALUES (2); INSERT INTO b VALUES (2);
       ALTER TABLE a ADD v text; INSERT INTO a VALUES (3, 'x');
       ALTER TABLE b ADD w text DEFAULT 'd'; INSERT INTO b VALUES (3)`,
      "INSERT INTO a VALUES (4, NULL)",
    );
    const items = await log.items({ lookup: log.followingLookup });
    expect(story(items)).toEqual([
      ["a v1", "insert 1"],
      ["b v1", "insert 1"],
      "schema a v2",
      "schema b v2",
      ["a v1", "insert 2"],
      ["b v1", "insert 2"],
      ["a v2", "insert 3 x"],
      ["b v2", "insert 3 d"],
      ["a v2", "insert 4 null"],
    ]);
    const before = items[items.findIndex((item) => item.kind === "schema") - 1]!;
    const transactions = items
      .flatMap((item) => (item.kind === "rows" ? item.batch.runs : []))
      .map((run) => run.transaction);
    if (before.kind !== "progress") throw new Error("no progress before the schema");
    expect(transactions.map((transaction) => before.position.has(transaction))).toEqual([
      true,
      true,
      ...Array(5).fill(false),
    ]);
  });

  it("stop their table where the transaction is too large to be held back", async () => {
    await using log = await LogFixture.open(
      "CREATE TABLE a (id int PRIMARY KEY)",
      "CREATE TABLE b (id int PRIMARY KEY)",
    );
    await log.run(
      `INSERT INTO a SELECT generate_series(1, 1000); INSERT INTO b VALUES (1);
       ALTER TABLE a ADD v text; INSERT INTO a VALUES (-1, 'x')`,
      "INSERT INTO a VALUES (-2); INSERT INTO b VALUES (2)",
    );
    const told = story(await log.items({ lookup: log.followingLookup, batchBytesMax: 1000 }));
    expect(told.at(-2)).toBe("stop public.a DDL_IN_LARGE_TRANSACTION");
    expect(told.at(-1)).toEqual(["b v1", "insert 1", "insert 2"]);
  });
});

describe("the catalog", () => {
  it("is asked once a relation and shape, however often the log repeats it", async () => {
    await using log = await LogFixture.open(
      "CREATE TABLE a (id int PRIMARY KEY)",
      "CREATE TABLE b (id int PRIMARY KEY)",
    );
    await log.run("INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)");
    const asked: string[] = [];
    const decoder = logDecoder(log.tables.slice(0, 1), {
      lookup: (relation: RelationMessage, known) => {
        asked.push(`${relation.name} ${known?.name}`);
        return Promise.resolve(known === null ? { kind: "ignore" } : { kind: "same" });
      },
    });
    const messages = await log.messages();
    expect(story([...(await decodeLog(decoder, messages)), ...(await decodeLog(decoder, messages))])).toEqual([
      ["a v1", "insert 1"],
      ["a v1", "insert 1"],
    ]);
    expect(asked).toEqual(["a a", "b undefined"]);
  });

  it("sees the schema that a renamed table had", async () => {
    await using log = await LogFixture.open("CREATE TABLE a (id int PRIMARY KEY)");
    await log.run("INSERT INTO a VALUES (1)", "ALTER TABLE a RENAME TO z; INSERT INTO z VALUES (2)");
    const asked: unknown[] = [];
    await log.items({
      lookup: (relation, known) => {
        asked.push([relation.name, known?.name]);
        return Promise.resolve({ kind: "same" });
      },
    });
    expect(asked).toEqual([
      ["a", "a"],
      ["z", "a"],
    ]);
  });

  it("can stop a table, and the others go on", async () => {
    await using log = await LogFixture.open(
      "CREATE TABLE a (id int PRIMARY KEY)",
      "CREATE TABLE b (id int PRIMARY KEY)",
    );
    await log.run("INSERT INTO b VALUES (1); INSERT INTO a VALUES (1); INSERT INTO b VALUES (2)");
    const error = new MillraceError("SCHEMA_CHANGED", "because");
    const items = await log.items({
      lookup: (relation, known) =>
        Promise.resolve(relation.name === "a" ? { kind: "stop", table: known!.id, error } : { kind: "same" }),
    });
    expect(story(items)).toEqual(["stop public.a SCHEMA_CHANGED", ["b v1", "insert 1", "insert 2"]]);
  });

  it("is not asked for transactions that are passed over, but their relations are remembered", async () => {
    await using log = await LogFixture.open("CREATE TABLE a (id int PRIMARY KEY)");
    await log.run("INSERT INTO a VALUES (1)");
    const { rows } = await log.client.query<{ lsn: string }>("SELECT pg_current_wal_insert_lsn()::text AS lsn");
    const from = new PgPosition(parseLsn(rows[0]!.lsn));
    const asked: string[] = [];
    const lookup: LogDecoderOptions["lookup"] = (relation) => {
      asked.push(relation.name);
      return Promise.resolve({ kind: "same" });
    };
    const passed = await log.items({ from, lookup });
    expect(passed).toEqual([{ kind: "progress", position: from, commitTimeMs: null }]);
    expect(asked).toEqual([]);
    await log.run("INSERT INTO a VALUES (2)");
    expect(story(await log.items({ from, lookup }))).toEqual([["a v1", "insert 2"]]);
    expect(asked).toEqual(["a"]);
  });
});

describe("a value that does not fit", () => {
  it("stops its table at that row, and names column and position but not the value", async () => {
    await using log = await LogFixture.open(
      "CREATE TABLE a (id int PRIMARY KEY, amount numeric(5,2))",
      "CREATE TABLE b (id int PRIMARY KEY)",
    );
    await log.run(
      "INSERT INTO a VALUES (1, 1)",
      "INSERT INTO b VALUES (1); INSERT INTO a VALUES (2, 2), (3, 'NaN'), (4, 4)",
      "INSERT INTO a VALUES (5, 5); INSERT INTO b VALUES (2)",
    );
    const items = await log.items();
    expect(story(items)).toEqual([
      ["a v1", "insert 1 1.00"],
      ["a v1", "insert 2 2.00"],
      "stop public.a VALUE_UNREPRESENTABLE",
      ["b v1", "insert 1", "insert 2"],
    ]);
    const stop = items.find((item) => item.kind === "stop")!;
    expect(stop.error.message).toMatch(
      /^column amount of public\.a \(numeric\(5,2\)\) has a value at [0-9A-F]+\/[0-9A-F]+ that/,
    );
    expect(stop.error.message).not.toContain("NaN");
  });
});

describe("memory", () => {
  it("stays within its bound in a large transaction, which has no progress inside", async () => {
    await using log = await LogFixture.open("CREATE TABLE a (id int PRIMARY KEY, v text)");
    await log.run("INSERT INTO a SELECT i, repeat('x', 100) FROM generate_series(1, 20000) i", "DELETE FROM a");
    const batchBytesMax = 64 << 10;
    const decoder = logDecoder(log.tables, { batchBytesMax });
    let heldMax = 0;
    const items: LogItem[] = [];
    for (const message of await log.messages()) {
      await decoder.decode(message, 0, message.length);
      heldMax = Math.max(heldMax, decoder.heldBytes);
      decoder.flush();
      items.push(...decoder.take());
    }
    expect(heldMax).toBeLessThan(batchBytesMax * 4);
    // At each commit, by the flush that waited for it, and by the one behind it.
    expect(items.filter((item) => item.kind === "progress")).toHaveLength(2 * 2);
    const sizes = items.flatMap((item) => (item.kind === "rows" ? [item.batch.length] : []));
    expect(sizes.reduce((sum, rows) => sum + rows, 0)).toBe(40_000);
    expect(sizes.length).toBeGreaterThan(30);
    expect(decoder.heldBytes).toBe(0);
  });

  it("stays within its bound where truncates cut a large transaction up", async () => {
    await using log = await LogFixture.open("CREATE TABLE a (id int PRIMARY KEY, v text)");
    const round = "INSERT INTO a SELECT i, repeat('x', 100) FROM generate_series(1, 100) i; TRUNCATE a;";
    await log.run(round.repeat(50));
    const batchBytesMax = 64 << 10;
    const decoder = logDecoder(log.tables, { batchBytesMax });
    let heldMax = 0;
    const items: LogItem[] = [];
    for (const message of await log.messages()) {
      await decoder.decode(message, 0, message.length);
      heldMax = Math.max(heldMax, decoder.heldBytes);
      items.push(...decoder.take());
    }
    expect(heldMax).toBeLessThan(batchBytesMax * 4);
    expect(items.map((item) => item.kind)).toEqual(Array.from({ length: 50 }, () => ["rows", "truncate"]).flat());
  });
});

describe("the position", () => {
  it("follows commits and, between transactions alone, keepalives", async () => {
    await using log = await LogFixture.open("CREATE TABLE a (id int PRIMARY KEY)");
    await log.run("INSERT INTO a VALUES (1)");
    const messages = await log.messages();
    const decoder = logDecoder(log.tables);
    const position = (): string => {
      decoder.flush();
      const last = decoder.take().at(-1);
      return last?.kind === "progress" ? last.position.toString() : "none";
    };
    decoder.keepalive(pgLsn(0x10n));
    expect(position()).toBe("0/10");
    const commit = messages.at(-1)!;
    for (const message of messages.slice(0, -1)) await decoder.decode(message, 0, message.length);
    expect(decoder.inTransaction).toBe(true);
    decoder.keepalive(pgLsn(0xffff_0000_0000n));
    expect(position()).toBe("none");
    await decoder.decode(commit, 0, commit.length);
    const committed = formatLsn(pgLsn(commit.readBigUInt64BE(10)));
    const items = decoder.take();
    expect(items.at(-1)).toMatchObject({ kind: "progress", position: new PgPosition(parseLsn(committed)) });
    decoder.keepalive(pgLsn(0x10n));
    expect(position()).toBe(committed);
  });

  it("widens xids next to the last one, over the turn of the 32 bits too", async () => {
    await using log = await LogFixture.open("CREATE TABLE a (id int PRIMARY KEY)");
    await log.run("INSERT INTO a VALUES (1)");
    const messages = await log.messages();
    messages[0]!.writeUInt32BE(3, 17);
    const items = await decodeLog(logDecoder(log.tables, { nearXid: xid64((7n << 32n) - 5n) }), messages);
    const rows = items.find((item) => item.kind === "rows")!;
    expect(rows.batch.runs[0]!.transaction.id).toBe(String((7n << 32n) + 3n));
  });
});

describe("dropTable", () => {
  it("delivers no more of that table", async () => {
    await using log = await LogFixture.open(
      "CREATE TABLE a (id int PRIMARY KEY)",
      "CREATE TABLE b (id int PRIMARY KEY)",
    );
    await log.run("INSERT INTO a VALUES (1); INSERT INTO b VALUES (1); TRUNCATE a");
    const decoder = logDecoder(log.tables);
    decoder.dropTable(log.tables[0]!.id);
    expect(story(await decodeLog(decoder, await log.messages()))).toEqual([["b v1", "insert 1"]]);
  });
});
