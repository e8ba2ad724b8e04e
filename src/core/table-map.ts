import type { TableId } from "./table-schema.ts";

/** So many that with ten thousand tables a change copies some forty entries. */
const BUCKETS = 256;

type Bucket<Value> = ReadonlyMap<TableId, Value>;

/**
 * What is known of each table, immutable: `with` gives another map, which shares with this one all but a small part. A plain
 * object would be copied whole for each event, and there are events for every batch. As JSON it is an object by table.
 */
export class TableMap<Value> implements Iterable<readonly [TableId, Value]> {
  readonly #buckets: readonly (Bucket<Value> | undefined)[];

  private constructor(buckets: readonly (Bucket<Value> | undefined)[]) {
    this.#buckets = buckets;
  }

  static of<Value>(entries: Iterable<readonly [TableId, Value]>): TableMap<Value> {
    const buckets: Map<TableId, Value>[] = Array.from({ length: BUCKETS });
    for (const [id, value] of entries) (buckets[bucketOf(id)] ??= new Map()).set(id, value);
    return new TableMap(buckets);
  }

  get(id: TableId): Value | undefined {
    return this.#buckets[bucketOf(id)]?.get(id);
  }

  with(id: TableId, value: Value): TableMap<Value> {
    const place = bucketOf(id);
    return new TableMap(this.#buckets.with(place, new Map(this.#buckets[place]).set(id, value)));
  }

  map<Other>(change: (value: Value) => Other): TableMap<Other> {
    return TableMap.of([...this].map(([id, value]) => [id, change(value)] as const));
  }

  *[Symbol.iterator](): Generator<readonly [TableId, Value]> {
    for (const bucket of this.#buckets) if (bucket !== undefined) yield* bucket;
  }

  toJSON(): Record<TableId, Value> {
    return Object.fromEntries(this) as Record<TableId, Value>;
  }
}

/** FNV-1a over the id's UTF-16 units. */
function bucketOf(id: TableId): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 16)) & (BUCKETS - 1);
}
