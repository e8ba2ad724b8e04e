import type { Ambient } from "../../core/ambient.ts";
import { MillraceError } from "../../core/errors.ts";
import type { ValueRules } from "../../core/source.ts";
import { keyColumns, type TableId, type TableSchema } from "../../core/table-schema.ts";
import { tablesByOid, type CatalogTable } from "./catalog.ts";
import type { LazySession } from "./connection.ts";
import type { LogDecoderOptions, RelationAnswer } from "./log-decoder.ts";
import type { RelationMessage } from "./pgoutput.ts";
import type { TableOids } from "./table-watch.ts";
import { xid64 } from "./position.ts";
import { changedError, followShape, type ShapeColumn } from "./schema.ts";
import { untilVisible } from "./waiting.ts";

const NO_XID = xid64(0n);

/**
 * Answers the decoder's questions about relations of the log. A relation says what the table was like at that place of
 * the log; the catalog is asked only for what a relation lacks (names of types, values of rows from before a column was
 * added). It is mostly later; but a commit is in the log before anybody sees it, so where the catalog does not have what
 * the relation says, it is asked again once that transaction is visible.
 */
export function relationLookup(
  sessions: LazySession,
  rules: ValueRules,
  prepared: TableOids,
  ambient: Ambient,
  signal: AbortSignal,
): LogDecoderOptions["lookup"] {
  const oids = new Map(prepared);
  const waiting = (what: string): void => ambient.logger.warn("the log waits for a commit to be visible", { what });
  return async (relation, known, xid) => {
    if (known === null) {
      // A table of ours that was renamed before the log first spoke of it in this run.
      const ours = [...oids].find(([, oid]) => oid === relation.oid)?.[0];
      return ours === undefined
        ? { kind: "ignore" }
        : { kind: "stop", table: ours, error: renamedError(ours, relation) };
    }
    const before = oids.get(known.id);
    oids.set(known.id, relation.oid);
    if (before !== undefined && before !== relation.oid)
      return stopped(known, changedError(known.id, "it was dropped and created again"));
    if (relation.namespace !== known.namespace || relation.name !== known.name)
      return stopped(known, renamedError(known.id, relation));
    const session = await sessions.get(signal);
    const types = await session.query<{ name: string }>(
      `SELECT format_type(column_type.oid, column_type.typmod) AS name
       FROM unnest($1::oid[], $2::int4[]) WITH ORDINALITY column_type(oid, typmod, place) ORDER BY place`,
      [relation.columns.map((column) => column.typeOid), relation.columns.map((column) => column.typmod)],
      signal,
    );
    const shape: ShapeColumn[] = relation.columns.map((column, i) => ({
      name: column.name,
      sourceType: types[i]!.name,
    }));
    const follow = async (): Promise<TableSchema | MillraceError> => {
      const now = (await tablesByOid(session, [relation.oid], signal))[0] ?? null;
      return keyProblem(relation, known, now) ?? followShape(known, shape, now, rules);
    };
    let followed = await follow();
    if (followed instanceof MillraceError) {
      await untilVisible(session, NO_XID, [xid], waiting, ambient, signal);
      followed = await follow();
    }
    if (followed instanceof MillraceError) return stopped(known, followed);
    return followed === known ? { kind: "same" } : { kind: "schema", schema: followed };
  };
}

function renamedError(table: TableId, { namespace, name }: RelationMessage): MillraceError {
  return changedError(table, `it was renamed to ${namespace}.${name}`);
}

function stopped(known: TableSchema, error: MillraceError): RelationAnswer {
  return { kind: "stop", table: known.id, error };
}

/** Whether changes no longer carry what they are matched by. */
function keyProblem(relation: RelationMessage, known: TableSchema, now: CatalogTable | null): MillraceError | null {
  const identity = relation.replicaIdentity;
  const key = keyColumns(known).map((column) => column.name);
  if (identity === "f") {
    // The relation does not say which columns are the key: only the catalog does, as long as the table is there.
    const current = now?.key?.usable === true ? now.key.columns : [];
    const same = now === null || current.join("\0") === key.join("\0");
    return same ? null : changedError(known.id, "its primary key is another one");
  }
  if (key.length === 0) return changedError(known.id, "its replica identity is no longer FULL");
  const identified = relation.columns.filter((column) => column.key).map((column) => column.name);
  const same = identified.length === key.length && key.every((name) => identified.includes(name));
  return same ? null : changedError(known.id, "its primary key or replica identity is another one");
}
