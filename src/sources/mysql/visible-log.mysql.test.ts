import { expect, it } from "vitest";
import { LoneMysqlDatabase, mysqlSchema } from "../../../test/support/mysql-binlog.ts";
import { batchRows, RULES, sourceOptions } from "../../../test/support/mysql-source.ts";
import { testAmbient } from "../../../test/support/test-ambient.ts";
import type { Transaction } from "../../core/position.ts";
import type { FilePosition } from "./file-position.ts";
import type { LogCut, LogPosition } from "./position.ts";
import { createMysqlSource } from "./source.ts";

const WRITERS = 16;
const CUTS = 60;

interface Seen {
  readonly included: LogPosition;
  /** Ids above it were asked for, in a snapshot behind the cut. */
  readonly lower: number;
  readonly ids: ReadonlySet<number>;
}

it(
  "what MySQL shows without GTIDs has all that counts as visible, and that is never long behind",
  { timeout: 240_000 },
  async () => {
    await using db = await LoneMysqlDatabase.start("mysql", {
      gtid_mode: "OFF",
      enforce_gtid_consistency: "OFF",
      // A commit takes the longer.
      sync_binlog: "1",
      innodb_flush_log_at_trx_commit: "1",
      max_binlog_size: "1048576",
    });
    await db.query("CREATE TABLE t (id bigint AUTO_INCREMENT PRIMARY KEY, w int)");
    const schema = await mysqlSchema(db, "t");
    const signal = AbortSignal.timeout(200_000);
    await using source = createMysqlSource(sourceOptions(db), RULES, testAmbient());
    const start = await source.prepare({ resume: null, tables: [schema] }, () => undefined, signal);

    const stop = new AbortController();
    const writing = Array.from({ length: WRITERS }, async (_, w) => {
      const writer = await db.client();
      while (!stop.signal.aborted) await writer.query("INSERT INTO t (w) VALUES (?)", [w]);
    });
    const seen: Seen[] = [];
    let longestMs = 0;
    const reader = await db.client();
    try {
      let lastMs = performance.now();
      let last: FilePosition | null = null;
      for (let lower = 0; seen.length < CUTS;) {
        const { included } = (await source.visible(signal)) as LogCut;
        const [rows] = await reader.query<never[]>("SELECT id FROM t WHERE id > ?", [lower]);
        const ids = (rows as readonly { id: number }[]).map(({ id }) => id);
        longestMs = Math.max(longestMs, performance.now() - lastMs);
        if (included === null || (last !== null && last.covers(included))) continue;
        lastMs = performance.now();
        last = included as FilePosition;
        seen.push({ included, lower, ids: new Set(ids) });
        lower = Math.max(lower, (ids.at(-1) ?? 0) - 2000);
      }
    } finally {
      stop.abort();
    }
    await Promise.all(writing);

    const end = await source.head(signal);
    const transactions = new Map<number, Transaction>();
    await using log = source.log({
      from: start,
      tables: [schema],
      batchBytesMax: 1 << 20,
      flushIntervalMs: 50,
      flushRows: 10_000,
    });
    for await (const item of log.items(signal)) {
      if (item.kind === "progress" && item.position.covers(end)) break;
      if (item.kind !== "rows") continue;
      const ids = batchRows(item.batch).map(([id]) => Number(id));
      for (const [i, run] of item.batch.runs.entries()) {
        const next = item.batch.runs[i + 1]?.firstRow ?? ids.length;
        for (const id of ids.slice(run.firstRow, next)) transactions.set(id, run.transaction);
      }
    }
    expect(transactions.size).toBeGreaterThan(WRITERS);
    let checked = 0;
    for (const { included, lower, ids } of seen)
      for (const [id, transaction] of transactions)
        if (id > lower && included.has(transaction)) {
          checked++;
          expect(ids).toContain(id);
        }
    expect(checked).toBeGreaterThan(CUTS);
    expect(longestMs).toBeLessThan(10_000);
    console.log({ writers: WRITERS, cuts: seen.length, commits: transactions.size, checked, longestMs });
  },
);
