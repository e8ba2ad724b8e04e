import type { Row, Session } from "./connection.ts";

/** A column as the catalog has it, in the order of `attnum`; dropped ones are left out. */
export interface CatalogColumn {
  readonly name: string;
  /** No other column of the table ever gets the same one. */
  readonly attnum: number;
  readonly typeOid: number;
  readonly typmod: number;
  /** The type that its values follow, through domains. */
  readonly baseOid: number;
  readonly baseTypmod: number;
  /** Qualified unless built in, since sessions have no other search path: it can stand in a statement. */
  readonly sourceType: string;
  /** Qualified and quoted; null: the type has none. */
  readonly collation: string | null;
  readonly generated: boolean;
  /** By a constraint of its own or of its domain. */
  readonly notNull: boolean;
  /** Rows from before the column was added have `missing`, in the type's text form, without having been rewritten. */
  readonly hasMissing: boolean;
  readonly missing: string | null;
  /** New rows get a value by themselves: a default, its domain's default, or an identity. */
  readonly hasDefault: boolean;
}

export interface CatalogKey {
  readonly columns: readonly string[];
  /** Of which the replica identity can be: checked at once, over a B-tree. */
  readonly usable: boolean;
  /** Where operators that order its columns live, but the built-in ones: not to be found by name otherwise (`citext`). */
  readonly operatorSchemas: readonly string[];
}

/** `relreplident`, or `other-index` for an index that is not the primary key's. */
export type ReplicaIdentity = "default" | "nothing" | "full" | "key-index" | "other-index";

export interface CatalogTable {
  readonly oid: number;
  readonly namespace: string;
  readonly name: string;
  readonly kind: "table" | "partitioned" | "foreign";
  readonly persistence: "permanent" | "unlogged" | "temporary";
  readonly identity: ReplicaIdentity;
  readonly key: CatalogKey | null;
  readonly columns: readonly CatalogColumn[];
}

/** The type that values of a domain follow; a domain over a domain takes its modifier from the innermost. */
const BASE_OF_DOMAIN = `
  WITH RECURSIVE base(oid, typmod, typdefault, not_null, depth) AS (
    SELECT a.atttypid, a.atttypmod, NULL::text COLLATE "C", a.attnotnull, 0
    UNION ALL
    SELECT t.typbasetype, t.typtypmod, coalesce(base.typdefault, t.typdefault), base.not_null OR t.typnotnull, depth + 1
    FROM base JOIN pg_type t ON t.oid = base.oid WHERE t.typtype = 'd')
  SELECT oid, typmod, typdefault, not_null FROM base ORDER BY depth DESC LIMIT 1`;

/** The same of any column. The recursion takes longer than all the rest, and most columns have no domain. */
const BASE_TYPE = `
  SELECT a.atttypid AS oid, a.atttypmod AS typmod, NULL::text COLLATE "C" AS typdefault, a.attnotnull AS not_null
  WHERE own.typtype <> 'd'
  UNION ALL SELECT * FROM (${BASE_OF_DOMAIN}) domain WHERE own.typtype = 'd'`;

/** Of a column a list without names, in the order of `columnOf`: with ten thousand tables there are very many. */
const COLUMNS = `
  SELECT json_agg(json_build_array(
    a.attname, a.attnum, a.atttypid::int8, a.atttypmod, base.oid::int8, base.typmod,
    format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attcollation <> 0 THEN (SELECT quote_ident(cn.nspname) || '.' || quote_ident(co.collname)
      FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace WHERE co.oid = a.attcollation) END,
    a.attgenerated <> '', base.not_null, a.atthasmissing, array_to_string(a.attmissingval, ''),
    a.atthasdef OR a.attidentity <> '' OR base.typdefault IS NOT NULL) ORDER BY a.attnum)
  FROM pg_attribute a JOIN pg_type own ON own.oid = a.atttypid CROSS JOIN LATERAL (${BASE_TYPE}) base
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped`;

/** As SQL over the `pg_index i` of a primary key. */
export const OPERATOR_SCHEMAS = `
  SELECT coalesce(json_agg(DISTINCT opn.nspname), '[]')
  FROM unnest(i.indclass) class(oid)
  JOIN pg_opclass opc ON opc.oid = class.oid AND opc.opcnamespace <> 'pg_catalog'::regnamespace
  JOIN pg_amop amop ON amop.amopfamily = opc.opcfamily
    AND amop.amoplefttype = opc.opcintype AND amop.amoprighttype = opc.opcintype
  JOIN pg_operator op ON op.oid = amop.amopopr JOIN pg_namespace opn ON opn.oid = op.oprnamespace`;

const KEY = `
  SELECT json_build_object(
    'columns', (SELECT json_agg(a.attname ORDER BY k.ord)
                FROM unnest(i.indkey) WITH ORDINALITY k(attnum, ord)
                JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.ord <= i.indnkeyatts),
    'usable', i.indimmediate AND i.indisvalid AND am.amname = 'btree',
    'operatorSchemas', (${OPERATOR_SCHEMAS}))
  FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid JOIN pg_am am ON am.oid = ic.relam
  WHERE i.indrelid = c.oid AND i.indisprimary`;

/** As SQL over `pg_class c`: the word for what UPDATE and DELETE log of the old row. */
export const IDENTITY = `
  CASE c.relreplident WHEN 'd' THEN 'default' WHEN 'f' THEN 'full' WHEN 'n' THEN 'nothing'
    ELSE coalesce((SELECT CASE WHEN i.indisprimary THEN 'key-index' ELSE 'other-index' END
                   FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident), 'nothing') END`;

export const KIND = `CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned' ELSE 'foreign' END`;

export const PERSISTENCE = `CASE c.relpersistence WHEN 'p' THEN 'permanent' WHEN 'u' THEN 'unlogged' ELSE 'temporary' END`;

/** One column `found`: for `catalogTables`, of each table that `condition` (over `c` and `n`) lets through. */
export function catalogQuery(condition: string): string {
  return `
    SELECT json_build_object(
      'oid', c.oid::int8, 'namespace', n.nspname, 'name', c.relname, 'kind', ${KIND}, 'persistence', ${PERSISTENCE},
      'identity', ${IDENTITY}, 'key', (${KEY}), 'columns', coalesce((${COLUMNS}), '[]')) AS found
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'f') AND ${condition}`;
}

type FoundColumn = readonly [
  name: string,
  attnum: number,
  typeOid: number,
  typmod: number,
  baseOid: number,
  baseTypmod: number,
  sourceType: string,
  collation: string | null,
  generated: boolean,
  notNull: boolean,
  hasMissing: boolean,
  missing: string | null,
  hasDefault: boolean,
];

function columnOf(found: FoundColumn): CatalogColumn {
  const [name, attnum, typeOid, typmod, baseOid, baseTypmod, sourceType, collation, ...more] = found;
  const [generated, notNull, hasMissing, missing, hasDefault] = more;
  const type = { typeOid, typmod, baseOid, baseTypmod, sourceType, collation };
  return { name, attnum, ...type, generated, notNull, hasMissing, missing, hasDefault };
}

/** In the order of their names. */
export function catalogTables(rows: readonly Row[]): readonly CatalogTable[] {
  const found = rows.map((row) => {
    const table = row["found"] as Omit<CatalogTable, "columns"> & { readonly columns: readonly FoundColumn[] };
    return { ...table, columns: table.columns.map(columnOf) };
  });
  return found.toSorted((a, b) => compareText(a.namespace, b.namespace) || compareText(a.name, b.name));
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

export async function tablesByOid(
  session: Session,
  oids: readonly number[],
  signal: AbortSignal,
): Promise<readonly CatalogTable[]> {
  return catalogTables(await session.query<Row>(catalogQuery("c.oid = ANY($1::oid[])"), [oids], signal));
}
