import { Op, type ChangeBatch } from "../../src/core/change-batch.ts";
import type { ChunkReader } from "../../src/core/chunk.ts";
import type { Column } from "../../src/core/column.ts";
import type { Cut, Position, Transaction } from "../../src/core/position.ts";
import type { LogReader, Source } from "../../src/core/source.ts";
import { parseTablePatterns } from "../../src/core/table-pattern.ts";
import type { TableSchema } from "../../src/core/table-schema.ts";
import { createMysqlSource } from "../../src/sources/mysql/source.ts";
import { TestMysqlDatabase } from "./mysql.ts";
import * as mysql from "./mysql-source.ts";
import * as postgres from "./postgres-source.ts";
import { testAmbient } from "./test-ambient.ts";
import type { AnyDatabase } from "./test-server.ts";
import { waitFor } from "./wait-for.ts";

/** What one transaction did to a table of (id bigint, version bigint): null is a deleted row. In the order of the log. */
export interface FollowedTransaction {
  readonly transaction: Transaction;
  readonly changes: readonly (readonly [id: bigint, version: bigint | null])[];
}

interface Boundary {
  readonly position: Position;
  /** Transactions up to there. */
  readonly transactions: number;
}

/** The log of one table of (id bigint, version bigint), read by the source itself and kept whole. */
export class FollowedTable implements AsyncDisposable {
  readonly schema: TableSchema;
  readonly reader: ChunkReader;
  readonly transactions: FollowedTransaction[] = [];
  readonly #source: Source;
  readonly #log: LogReader;
  readonly #boundaries: Boundary[] = [];
  readonly #stop = new AbortController();
  readonly #reading: Promise<void>;
  #failure: { readonly error: unknown } | null = null;

  constructor(parts: { source: Source; reader: ChunkReader; schema: TableSchema; log: LogReader }) {
    this.#source = parts.source;
    this.reader = parts.reader;
    this.schema = parts.schema;
    this.#log = parts.log;
    this.#reading = this.#read().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) this.#failure = { error };
    });
  }

  async #read(): Promise<void> {
    for await (const item of this.#log.items(this.#stop.signal)) {
      if (item.kind === "rows") this.#note(item.batch);
      else if (item.kind === "progress")
        this.#boundaries.push({ position: item.position, transactions: this.transactions.length });
      else throw new Error(`a ${item.kind} item of a table that nobody alters`);
    }
  }

  #note(batch: ChangeBatch): void {
    const [ids, versions] = batch.columns.map(int64s);
    for (const [i, { firstRow, transaction }] of batch.runs.entries()) {
      const rows = Array.from(
        { length: (batch.runs[i + 1]?.firstRow ?? batch.length) - firstRow },
        (_, r) => firstRow + r,
      );
      const changes = rows.map((row) => [ids![row]!, batch.ops![row] === Op.delete ? null : versions![row]!] as const);
      this.transactions.push({ transaction, changes });
    }
  }

  /** Resolves when all that has been committed by now has been read. */
  async untilRead(): Promise<void> {
    const head = await this.#source.head(mysql.deadline());
    await waitFor("the log to be read", () => {
      if (this.#failure !== null) throw this.#failure.error;
      this.#log.ping();
      return this.#boundaries.at(-1)?.position.covers(head) ?? false;
    });
  }

  /** Where a chunk of that bound enters the line: the number of transactions before the first boundary that has it. */
  entersAt(bound: Position): number {
    const boundary = this.#boundaries.find(({ position }) => position.covers(bound));
    if (boundary === undefined) throw new Error(`the log was not read up to ${bound.toString()}`);
    return boundary.transactions;
  }

  /** What snapshots have that are opened from now on. */
  visible(): Promise<Cut> {
    return this.#source.visible(mysql.deadline());
  }

  parseCut(...json: Parameters<Source["parseCut"]>): ReturnType<Source["parseCut"]> {
    return this.#source.parseCut(...json);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("the test is over"));
    await this.#reading;
    await this.#log[Symbol.asyncDispose]();
    await this.reader[Symbol.asyncDispose]();
    await this.#source[Symbol.asyncDispose]();
  }
}

/** The cells of a bigint column. */
export function int64s({ values, length }: Column): BigInt64Array {
  return new BigInt64Array(values.buffer, values.byteOffset, length);
}

function sourceOf(db: AnyDatabase, table: string): { readonly source: Source; readonly reader: ChunkReader } {
  if (!(db instanceof TestMysqlDatabase))
    return { source: postgres.openSource(db, `public.${table}`), reader: postgres.openReader(db, `public.${table}`) };
  const { patterns } = parseTablePatterns(`${db.database}.${table}`, "database.table");
  const options = mysql.sourceOptions(db, { tables: patterns });
  return { source: createMysqlSource(options, mysql.RULES, testAmbient()), reader: mysql.openReader(db) };
}

/** Reads the log of a table from now on; chunks may be read when it resolves. */
export async function followTable(db: AnyDatabase, table: string): Promise<FollowedTable> {
  const { source, reader } = sourceOf(db, table);
  const signal = mysql.deadline();
  const { offers } = await source.inspect(signal);
  const schema = offers[0]!.schema;
  const from = await source.prepare({ resume: null, tables: [schema] }, () => undefined, signal);
  const log = source.log({ from, tables: [schema], batchBytesMax: 1 << 20, flushIntervalMs: 20, flushRows: 1_000 });
  const followed = new FollowedTable({ source, reader, schema, log });
  await source.settled([], () => undefined, signal);
  return followed;
}
