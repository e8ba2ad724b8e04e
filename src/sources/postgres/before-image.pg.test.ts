import { describe, expect, it } from "vitest";
import { beforeTexts, checkedAgainstEarlier } from "../../../test/support/before-images.ts";
import { rowTexts, STRICT_RULES } from "../../../test/support/postgres-decoding.ts";
import { LogFixture } from "../../../test/support/postgres-log.ts";
import { TYPE_CASES, TYPE_CASES_SETUP } from "../../../test/support/postgres-type-cases.ts";

const ASKED = { rules: { ...STRICT_RULES, beforeImages: true } };
const LARGE = (letter: string): string =>
  `(SELECT string_agg(md5('${letter}' || i), '') FROM generate_series(1, 300) i)`;

describe.each(["newest", "oldest"] as const)("rows as they were (%s)", (version) => {
  it("are whole under REPLICA IDENTITY FULL, with values that are stored out of line", async () => {
    await using log = await LogFixture.on(
      version,
      "CREATE TABLE a (id int PRIMARY KEY, big text, n numeric(10,2), at timestamptz, ok bool)",
      "ALTER TABLE a ALTER big SET STORAGE EXTERNAL",
      "ALTER TABLE a REPLICA IDENTITY FULL",
      `INSERT INTO a VALUES (1, ${LARGE("a")}, 1.5, '2024-02-29 01:02:03.04+00', true), (2, NULL, NULL, NULL, NULL)`,
    );
    const was: string[] = [];
    const change = async (id: number, op: "update" | "delete", statement: string): Promise<void> => {
      const [row] = await rowTexts(log.client, `SELECT id, big, n, at, ok::text::char FROM a WHERE id = ${id}`);
      was.push(`${op} ${row!.map((cell) => cell ?? "null").join(",")}`);
      await log.run(statement);
    };
    await change(1, "update", "UPDATE a SET n = 2 WHERE id = 1");
    await change(1, "update", `UPDATE a SET big = ${LARGE("b")}, ok = NULL WHERE id = 1`);
    await change(1, "delete", "UPDATE a SET id = 5 WHERE id = 1");
    was.push("insert -");
    await log.run("INSERT INTO a VALUES (7, 'x', 0, NULL, false)");
    was.push("insert -");
    await change(2, "update", "UPDATE a SET n = 3 WHERE id = 2");
    await change(5, "delete", "DELETE FROM a WHERE id = 5");
    await change(7, "delete", "DELETE FROM a WHERE id = 7");
    expect(beforeTexts(await log.items(ASKED))).toEqual(was);
  });

  it("are the old key where that is all the log has, of deletes and moved rows", async () => {
    await using log = await LogFixture.on(
      version,
      "CREATE TABLE a (id int, tenant int, v text, PRIMARY KEY (tenant, id))",
      "INSERT INTO a VALUES (1, 9, 'x'), (2, 9, 'y')",
    );
    await log.run("UPDATE a SET v = 'z'", "UPDATE a SET id = 3 WHERE id = 1", "DELETE FROM a WHERE id = 2");
    expect(beforeTexts(await log.items(ASKED))).toEqual([
      ...["update -", "update -", "delete 1,9,absent", "insert -", "delete 2,9,absent"],
    ]);
  });

  it("are the columns of the index that identifies the rows, where one of them changes", async () => {
    await using log = await LogFixture.on(
      version,
      "CREATE TABLE a (id int PRIMARY KEY, code text NOT NULL, v text)",
      "CREATE UNIQUE INDEX i ON a (id, code)",
      "ALTER TABLE a REPLICA IDENTITY USING INDEX i",
      "INSERT INTO a VALUES (1, 'one', 'x')",
    );
    await log.run("UPDATE a SET code = 'eins'", "UPDATE a SET v = 'y'", "UPDATE a SET id = 2", "DELETE FROM a");
    expect(beforeTexts(await log.items(ASKED))).toEqual([
      ...["update 1,one,absent", "update -", "delete 1,eins,absent", "insert -", "delete 2,eins,absent"],
    ]);
  });

  it("are the rows that go, in a table without a key", async () => {
    await using log = await LogFixture.on(
      version,
      "CREATE TABLE a (v text, n int)",
      "ALTER TABLE a ALTER v SET STORAGE EXTERNAL",
      "ALTER TABLE a REPLICA IDENTITY FULL",
      `INSERT INTO a VALUES (${LARGE("a")}, 1)`,
    );
    const [[large] = []] = await rowTexts(log.client, "SELECT v FROM a");
    await log.run("UPDATE a SET n = 2", "UPDATE a SET v = NULL", "DELETE FROM a");
    expect(beforeTexts(await log.items(ASKED))).toEqual([
      ...[`delete ${large!},1`, "insert -", `delete ${large!},2`, "insert -", "delete null,2"],
    ]);
  });

  it("are not there where nobody asks, nor where nothing was before", async () => {
    await using log = await LogFixture.on(
      version,
      "CREATE TABLE a (id int PRIMARY KEY, v text)",
      "ALTER TABLE a REPLICA IDENTITY FULL",
    );
    await log.run("INSERT INTO a VALUES (1, 'x'), (2, 'y')");
    expect(beforeTexts(await log.items(ASKED))).toEqual(["insert", "insert"]);
    await log.run("UPDATE a SET v = 'z'", "DELETE FROM a");
    expect(beforeTexts(await log.items())).toEqual([...["insert", "insert", "update", "update", "delete", "delete"]]);
  });

  it("have values of every type as the log has brought them before", async () => {
    const cases = TYPE_CASES.filter(({ since = 0 }) => since <= (version === "oldest" ? 14 : 18));
    const tables = cases.flatMap(({ type }, i) => [
      `CREATE TABLE t${i} (id int PRIMARY KEY, v ${type})`,
      `ALTER TABLE t${i} REPLICA IDENTITY FULL`,
    ]);
    await using log = await LogFixture.on(version, TYPE_CASES_SETUP, ...tables);
    for (const [i, { type, values }] of cases.entries()) {
      const rows = [...values, "NULL"].map((value, id) => `(${id}, (${value})::${type})`);
      await log.run(`INSERT INTO t${i} VALUES ${rows.join(", ")}`, `DELETE FROM t${i}`);
    }
    const items = await log.items({ rules: { ...ASKED.rules, unrepresentable: "null" } });
    const deletes = cases.reduce((sum, { values }) => sum + values.length + 1, 0);
    expect(checkedAgainstEarlier(items)).toEqual({ checked: deletes * 2, wrong: [] });
  });

  it("are those of their rows where batches are small and a transaction large", async () => {
    await using log = await LogFixture.on(
      version,
      "CREATE TABLE a (id int PRIMARY KEY, v text, n numeric)",
      "ALTER TABLE a REPLICA IDENTITY FULL",
    );
    await log.run(
      "INSERT INTO a SELECT i, md5(i::text), i / 7.0 FROM generate_series(1, 500) i",
      "BEGIN",
      "UPDATE a SET n = n + 1 WHERE id % 3 > 0",
      "ALTER TABLE a ADD extra int",
      "UPDATE a SET id = id + 1000, v = NULL WHERE id % 5 = 0",
      "DELETE FROM a WHERE id % 2 = 0",
      "COMMIT",
    );
    const items = await log.items({ ...ASKED, batchBytesMax: 8_000, lookup: log.followingLookup });
    const batches = items.flatMap((item) => (item.kind === "rows" ? [item.batch] : []));
    expect(batches.length).toBeGreaterThan(10);
    for (const { before, columns, length } of batches) {
      expect(before === null || before.length === columns.length).toBe(true);
      expect((before ?? []).every((column) => column.length === length)).toBe(true);
    }
    expect(checkedAgainstEarlier(items).wrong).toEqual([]);
  });
});
