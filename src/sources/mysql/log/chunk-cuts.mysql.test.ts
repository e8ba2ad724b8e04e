import { randomUUID } from "node:crypto";
import type { Connection, ResultSetHeader, RowDataPacket } from "mysql2/promise";
import { expect, it } from "vitest";
import { LoneMysqlDatabase } from "../../../../test/support/mysql-binlog.ts";
import { createMysqlDatabase, type TestMysqlDatabase } from "../../../../test/support/mysql.ts";
import type { Transaction } from "../../../core/position.ts";
import {
  ALL,
  openReader,
  openSessions,
  readChunk,
  RULES,
  schemaOf,
  series,
} from "../../../../test/support/mysql-source.ts";
import { GtidSet } from "../position/gtid-set.ts";
import { parseMariadbGtid } from "../position/mariadb-gtid.ts";
import { openTable } from "../table-read.ts";
import { visibleCut } from "./visible.ts";
import { LogCut, MariadbTransaction, MysqlPosition, MysqlTransaction } from "../position.ts";
import { xidText } from "../binlog/xa-events.ts";

const UPPER = ["9223372036854775807"];

/** What a statement committed, of a session that tracks it. */
function mysqlTransaction(result: ResultSetHeader): MysqlTransaction {
  const { gtids } = (result as unknown as { stateChanges: { gtids: string[] } }).stateChanges;
  const [source, gno] = gtids[0]!.split(":");
  return new MysqlTransaction(source!, BigInt(gno!), 0);
}

async function mariadbTransaction(session: Connection, xid: string | null): Promise<MariadbTransaction> {
  const [rows] = await session.query<RowDataPacket[]>("SELECT @@last_gtid AS gtid");
  return new MariadbTransaction(parseMariadbGtid(String(rows[0]!["gtid"])), 0, xid);
}

interface Inserted {
  readonly id: number;
  readonly committed: ResultSetHeader;
  /** Null: of no XA transaction. */
  readonly xid: string | null;
}

async function plainInsert(session: Connection, w: number): Promise<Inserted> {
  const [result] = await session.query<ResultSetHeader>("INSERT INTO t (w) VALUES (?)", [w]);
  return { id: result.insertId, committed: result, xid: null };
}

let xids = 0;

async function xaInsert(session: Connection, w: number): Promise<Inserted> {
  const name = Buffer.from(`x${xids++}`).toString("hex");
  const xid = xidText(name, "", 1);
  await session.query(`XA START ${xid}`);
  const { id } = await plainInsert(session, w);
  for (const verb of ["END", "PREPARE"]) await session.query(`XA ${verb} ${xid}`);
  const [committed] = await session.query<ResultSetHeader>(`XA COMMIT ${xid}`);
  return { id, committed, xid };
}

interface Chunk {
  /** Ids above it were asked for. */
  readonly lower: number;
  readonly ids: ReadonlySet<number>;
  readonly cut: LogCut;
}

interface Raced {
  readonly chunks: readonly Chunk[];
  /** By id of the row, what inserted it. */
  readonly transactions: ReadonlyMap<number, Transaction>;
}

/** Reads so many chunks of a table's end while sessions insert into it. */
async function race(
  db: TestMysqlDatabase,
  flavour: "mysql" | "mariadb",
  count: number,
  { writers, insert }: { readonly writers: number; readonly insert: typeof plainInsert },
): Promise<Raced> {
  await db.query("CREATE TABLE t (id bigint AUTO_INCREMENT PRIMARY KEY, w int)");
  await using sessions = openSessions(db);
  const schema = await schemaOf(sessions, db, "t");
  await using reader = openReader(db);
  const transactions = new Map<number, Transaction>();
  const stop = new AbortController();
  const writing = Array.from({ length: writers }, async (_, i) => {
    const writer = await db.client();
    if (flavour === "mysql") await writer.query("SET session_track_gtids = OWN_GTID");
    else await writer.query("SET SESSION gtid_domain_id = ?", [i % 2 === 0 ? 0 : 4711]);
    while (!stop.signal.aborted) {
      const { id, committed, xid } = await insert(writer, i);
      const done = flavour === "mysql" ? mysqlTransaction(committed) : await mariadbTransaction(writer, xid);
      transactions.set(id, done);
    }
  });
  const chunks: Chunk[] = [];
  try {
    for (let lower = 0; chunks.length < count;) {
      const { cut, rows } = await readChunk(reader, schema, { lower: [String(lower)], upper: UPPER });
      const ids = rows.map(([id]) => Number(id));
      chunks.push({ lower, ids: new Set(ids), cut: LogCut.parse(cut) });
      lower = Math.max(0, (ids.at(-1) ?? lower) - 100);
    }
  } finally {
    stop.abort();
  }
  await Promise.all(writing);
  return { chunks, transactions };
}

it("chunks of MySQL have all that their cut includes, and no row of a transaction beyond their bound", async () => {
  await using db = await createMysqlDatabase("mysql");
  const { chunks, transactions } = await race(db, "mysql", 200, { writers: 10, insert: plainInsert });
  expectBounds(chunks, transactions);
});

function expectBounds(chunks: Raced["chunks"], transactions: Raced["transactions"]): void {
  for (const { lower, ids, cut } of chunks) {
    for (const id of ids) expect(cut.bound.has(transactions.get(id)!)).toBe(true);
    for (const [id, transaction] of transactions)
      if (id > lower && cut.surelyIncludes(transaction)) expect(ids).toContain(id);
  }
}

it.each(["mysql", "mariadb"] as const)(
  "chunks of %s have the rows of XA transactions of their cut",
  async (flavour) => {
    await using db = await LoneMysqlDatabase.start(flavour);
    const { chunks, transactions } = await race(db, flavour, 300, { writers: 4, insert: xaInsert });
    expectBounds(chunks, transactions);
    // Most of what a chunk has is known to be in it.
    const { cut, ids } = chunks.at(-1)!;
    const sure = [...ids].filter((id) => cut.surelyIncludes(transactions.get(id)!));
    expect(sure.length).toBeGreaterThanOrEqual(ids.size - 2 * 4);
  },
);

it("chunks of MariaDB have the rows of their cut and no other, with two domains", async () => {
  await using db = await createMysqlDatabase("mariadb");
  const { chunks, transactions } = await race(db, "mariadb", 200, { writers: 10, insert: plainInsert });
  for (const { lower, ids, cut } of chunks) {
    const included = [...transactions].filter(([id, transaction]) => id > lower && cut.surelyIncludes(transaction));
    expect(new Set(included.map(([id]) => id))).toEqual(ids);
    for (const id of ids) expect(cut.bound.has(transactions.get(id)!)).toBe(true);
  }
});

it.each(["mysql", "mariadb"] as const)(
  "chunks of %s have all of a table that others are put in place of, or the log says so",
  async (flavour) => {
    await using db = await createMysqlDatabase(flavour);
    await db.query("CREATE TABLE t (id int PRIMARY KEY, v int)");
    await db.query(`INSERT INTO t SELECT g, g FROM ${series(500)}`);
    await using sessions = openSessions(db);
    const schema = await schemaOf(sessions, db, "t");
    await using reader = openReader(db);
    const renames: Transaction[] = [];
    const stop = new AbortController();
    const writing = (async (): Promise<void> => {
      const writer = await db.client();
      if (flavour === "mysql") await writer.query("SET session_track_gtids = OWN_GTID");
      while (!stop.signal.aborted) {
        await writer.query("ALTER TABLE t ENGINE = InnoDB");
        await writer.query("DROP TABLE IF EXISTS t2, t3");
        await writer.query("CREATE TABLE t2 LIKE t");
        await writer.query("INSERT INTO t2 SELECT * FROM t");
        const [result] = await writer.query<ResultSetHeader>("RENAME TABLE t TO t3, t2 TO t");
        renames.push(flavour === "mysql" ? mysqlTransaction(result) : await mariadbTransaction(writer, null));
        await writer.query("TRUNCATE TABLE t3");
      }
    })();
    const chunks: { rows: number; cut: LogCut }[] = [];
    try {
      for (let reads = 0; reads < 150; reads++) {
        const chunk = await readChunk(reader, schema, ALL).catch((error: unknown) => {
          // The server may refuse it as often as we try.
          expect(error).toMatchObject({ code: "SOURCE_LOCK_TIMEOUT", retry: "timed" });
          return null;
        });
        if (chunk !== null) chunks.push({ rows: chunk.rows.length, cut: LogCut.parse(chunk.cut) });
      }
    } finally {
      stop.abort();
    }
    await writing;
    expect(chunks.length).toBeGreaterThan(10);
    for (const { cut } of chunks.filter(({ rows }) => rows !== 500))
      expect(renames.some((rename) => !cut.surelyIncludes(rename) && cut.bound.has(rename))).toBe(true);
  },
);

it("has a bound that never comes where a GTID was owned and given up, and a later one without it", async () => {
  await using db = await createMysqlDatabase("mysql");
  await db.query("CREATE TABLE t (id int PRIMARY KEY)");
  await using sessions = openSessions(db);
  const session = await sessions.get(AbortSignal.timeout(30_000));
  const schema = await schemaOf(sessions, db, "t");
  const owner = await db.client();
  await owner.query(`SET gtid_next = '${randomUUID()}:1'`);
  await owner.query("BEGIN");
  await owner.query("INSERT INTO t VALUES (1)");
  const { cut } = await openTable(session, schema, RULES, AbortSignal.timeout(30_000));
  await owner.query("ROLLBACK");
  await owner.query("SET gtid_next = AUTOMATIC");
  const now = await visibleCut(session, AbortSignal.timeout(30_000));
  expect(now.bound.covers(cut.included!)).toBe(true);
  expect(now.bound.covers(cut.bound)).toBe(false);
});

it("has in its bound what is owned of several sources and tags at once", async () => {
  await using db = await createMysqlDatabase("mysql");
  await db.query("CREATE TABLE t (id int PRIMARY KEY)");
  await using sessions = openSessions(db);
  const session = await sessions.get(AbortSignal.timeout(30_000));
  const schema = await schemaOf(sessions, db, "t");
  // The server names them in a row; the thread's number and a UUID that begins with digits have nothing between them.
  const sources = ["1", "2", "a"].map((digit) => digit.repeat(8) + randomUUID().slice(8));
  const gtids = [`${sources[0]}:5`, `${sources[1]}:7`, `${sources[1]}:9`, `${sources[1]}:tag:2`, `${sources[2]}:1`];
  for (const [id, gtid] of gtids.entries()) {
    const owner = await db.client();
    await owner.query(`SET gtid_next = '${gtid}'`);
    await owner.query("BEGIN");
    await owner.query("INSERT INTO t VALUES (?)", [id]);
  }
  const { cut } = await openTable(session, schema, RULES, AbortSignal.timeout(30_000));
  if (!(cut.bound instanceof MysqlPosition)) throw new Error(`a bound without GTIDs: ${cut.bound.toString()}`);
  const { gtids: bound } = cut.bound;
  expect(gtids.filter((gtid) => bound.covers(GtidSet.parse(gtid)))).toEqual(gtids);
});
