import { Op, type ChangeBatch } from "../../src/core/change-batch.ts";
import type { LineItem } from "../../src/core/line.ts";
import { ADDED_DEFAULT, cell, keyOf, PLAIN_SCHEMA, type SimRow } from "./sim-rows.ts";

/** What the simulation found wrong with a history. */
export class Violation extends Error {}

/** A table sink, one row at a time, that notices when a key goes backwards. */
export class SimSink {
  rows: Map<number, SimRow> = new Map<number, SimRow>();
  plain: number[] = [];
  version = 1;
  /** The newest version each key had: a deleted one's too. */
  readonly #newest: Map<number, number>;
  /** Keys that *complete* fetched run ahead of the log for a while, and may seem to go backwards. */
  readonly #ahead: Set<number>;

  constructor(of: SimSink | null = null) {
    this.#newest = new Map(of === null ? [] : of.#newest);
    this.#ahead = new Set(of === null ? [] : of.#ahead);
    if (of === null) return;
    this.rows = new Map(of.rows);
    this.plain = [...of.plain];
    this.version = of.version;
  }

  apply(item: LineItem): void {
    if (item.kind === "truncate") {
      if (item.table === PLAIN_SCHEMA.id) this.plain = [];
      else this.rows.clear();
    } else if (item.kind === "schema" && item.schema.version > this.version) {
      this.version = item.schema.version;
      for (const [key, row] of this.rows) this.rows.set(key, { ...row, c: ADDED_DEFAULT });
    } else if (item.kind === "rows") {
      for (let row = 0; row < item.batch.length; row++)
        if (item.batch.schema.id === PLAIN_SCHEMA.id) this.#applyPlain(item.batch, row);
        else this.#applyKeyed(item.batch, row);
    } else if (item.kind === "stop") throw new Violation(`stopped: ${item.error.message}`);
  }

  fetched(key: number): void {
    this.#ahead.add(key);
  }

  #applyPlain(batch: ChangeBatch, row: number): void {
    const value = cell(batch, "value", row) as number;
    if (batch.ops?.[row] !== Op.delete) this.plain.push(value);
    else if (this.plain.includes(value)) this.plain.splice(this.plain.indexOf(value), 1);
    else throw new Violation("a row without a key is deleted that is not there");
  }

  #applyKeyed(batch: ChangeBatch, at: number): void {
    const key = keyOf(batch, at);
    const op = batch.ops?.[at] ?? Op.upsert;
    if (op === Op.moved) throw new Violation("a moved row reached the sink");
    const version = cell(batch, "v", at) as number;
    if (op === Op.delete) {
      this.#step(key, version);
      this.rows.delete(key);
      return;
    }
    const old = this.rows.get(key);
    const known: Record<string, number | string | null> = {};
    let whole = true;
    for (const { name } of batch.schema.columns) {
      const value = cell(batch, name, at);
      if (value === undefined) whole = false;
      else if (name !== "k1" && name !== "k2") known[name] = value;
    }
    if (op !== Op.update && !whole) throw new Violation("a row with absent cells is inserted");
    if (!whole && old === undefined) return;
    this.#step(key, version);
    const added = this.version === 2 ? { c: ADDED_DEFAULT } : {};
    this.rows.set(key, { ...added, ...(op === Op.update ? old : {}), ...known, key } as SimRow);
  }

  #step(key: number, version: number): void {
    const newest = this.#newest.get(key) ?? 0;
    if (version < newest && !this.#ahead.has(key))
      throw new Violation(`key ${key} went backwards from ${newest} to ${version}`);
    this.#newest.set(key, Math.max(newest, version));
  }
}
