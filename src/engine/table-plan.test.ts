import { describe, expect, test } from "vitest";
import { MillraceError } from "../core/errors.ts";
import type { TablePart, TableState } from "../core/record.ts";
import type { Inspection, TableOffer } from "../core/source.ts";
import { tableId, type TableId, type TableSchema } from "../core/table-schema.ts";
import { fingerprintOf, type TableTerms } from "./fingerprint.ts";
import { planTables, type TablePlan, type TablePlanFacts } from "./table-plan.ts";

const identity = { system: "1" };

function schemaOf(name: string, key: readonly number[] = [0]): TableSchema {
  const column = { nullable: false, sourceType: "int4", collation: null, existingRowsDefault: null };
  const columns = [{ ...column, name: "id", type: { kind: "int", bits: 32 } as const }];
  return { id: tableId("shop", name), namespace: "shop", name, version: 1, columns, key };
}

function offer(name: string, change: Partial<TableOffer> = {}): TableOffer {
  return { schema: schemaOf(name), object: name, logged: true, readBy: "", notes: [], ...change };
}

function terms({ schema, object }: TableOffer): TableTerms {
  const nonFinite = { decimalNaN: false, dateInfinity: true, timestampInfinity: true };
  return { schema, object, target: schema.id, unrepresentable: "error", nonFinite };
}

function part(of: TableOffer, state: TableState = { kind: "streaming", rows: 1 }): TablePart {
  return { state, incarnation: 1, fingerprint: fingerprintOf(terms(of)), schema: of.schema };
}

function plan(
  known: readonly TablePart[],
  offers: readonly TableOffer[],
  more: Partial<TablePlanFacts> = {},
): TablePlan {
  const inspection: Inspection = { identity, server: "", offers, refusals: [], notes: [], cutMethod: "" };
  const source = known.length === 0 ? null : { version: 1, identity };
  const tables = new Map<TableId, TablePart>(known.map((table) => [table.schema.id, table]));
  const content = { source, position: null, tables, history: [] };
  const startup = { kind: "initial" } as const;
  return planTables({
    content,
    inspection,
    startup,
    terms,
    resnapshot: [],
    begun: new Map(),
    failed: new Map(),
    ...more,
  });
}

const stops = ({ stop }: TablePlan): unknown[] => [...stop].map(([table, error]) => [table, error.code]);

describe("the plan of a run's tables", () => {
  test("begins what is new, goes on with what is known, and forgets what is gone", () => {
    const planned = plan([part(offer("kept")), part(offer("gone"))], [offer("kept"), offer("new", { logged: false })]);
    expect(planned.begin).toMatchObject([{ mode: "create", part: { incarnation: 1, state: { kind: "planned" } } }]);
    expect(planned.remove).toEqual(["shop.gone"]);
    expect(planned.live.map((schema) => schema.id)).toEqual(["shop.kept", "shop.new"]);
    expect(stops(planned)).toEqual([]);
  });

  test("goes on with the shape of the record, not with the source's present one", () => {
    const grown = { ...schemaOf("a"), version: 7 };
    expect(plan([part(offer("a"))], [offer("a", { schema: grown })]).live).toEqual([schemaOf("a")]);
  });

  test("begins a table without a key again unless it was read to its end", () => {
    const keyless = offer("a", { schema: schemaOf("a", []) });
    const half = plan([part(keyless, { kind: "snapshotting", progress: null })], [keyless]);
    expect(half.begin).toMatchObject([{ mode: "truncate", part: { incarnation: 2 } }]);
    expect(plan([part(keyless)], [keyless]).begin).toEqual([]);
  });

  test("begins with the log alone where no snapshot was asked for, but reads what the operator names", () => {
    const latest = { startup: { kind: "latest" } } as const;
    const state = { kind: "streaming", rows: 0 };
    expect(plan([], [offer("a")], latest).begin).toMatchObject([{ mode: "create", part: { state } }]);
    const again = plan([part(offer("a"))], [offer("a")], { ...latest, resnapshot: [tableId("shop", "a")] });
    expect(again.begin).toMatchObject([{ mode: "truncate", part: { state: { kind: "planned" } } }]);
    const snapshot = plan([], [offer("a")], { startup: { kind: "snapshot" } });
    expect(snapshot.begin).toMatchObject([{ part: { state: { kind: "planned" } } }]);
  });

  test("begins anew what the operator names, also a table that has stopped, and refuses a name that is none", () => {
    const stopped = part(offer("a"), { kind: "stopped", code: "SCHEMA_CHANGED", message: "", at: "0/0" });
    const others = plan([stopped, part(offer("b"))], [offer("a"), offer("b")]);
    expect(others.live.map((schema) => schema.id)).toEqual(["shop.b"]);
    expect(plan([stopped], [offer("a")]).live).toEqual([]);
    const again = plan([stopped], [offer("a")], { resnapshot: [tableId("shop", "a")] });
    expect(again.begin).toMatchObject([{ mode: "truncate", part: { incarnation: 2, state: { kind: "planned" } } }]);
    const unknown = { resnapshot: [tableId("shop", "b")] };
    expect(() => plan([stopped], [offer("a")], unknown)).toThrow(expect.objectContaining({ code: "USAGE" }));
  });

  test("begins anew what the operator has reset, whatever the run was asked", () => {
    const reset = part(offer("a"), { kind: "stopped", code: "TABLE_RESET", message: "", at: "0/0" });
    const latest = { startup: { kind: "latest" } } as const;
    const changed = offer("a", { schema: schemaOf("a", []) });
    for (const planned of [plan([reset], [offer("a")]), plan([reset], [changed], latest)])
      expect(planned.begin).toMatchObject([{ mode: "truncate", part: { incarnation: 2, state: { kind: "planned" } } }]);
  });

  test("begins anew what a run has emptied that did not come to its first epoch, unless it has stopped", () => {
    const [streaming, half, stopped] = [
      part(offer("a")),
      part(offer("b"), { kind: "snapshotting", progress: null }),
      part(offer("c"), { kind: "stopped", code: "SCHEMA_CHANGED", message: "", at: "0/0" }),
    ];
    const begun = new Map(["a", "b", "c"].map((name) => [tableId("shop", name), 2]));
    const offers = [offer("a"), offer("b"), offer("c")];
    const again = { mode: "truncate", part: { incarnation: 2, state: { kind: "planned" } } };
    const latest = { startup: { kind: "latest" }, begun } as const;
    expect(plan([streaming, half, stopped], offers, latest).begin).toMatchObject([again, again]);
    const known = [streaming, half, stopped].map((table) => ({ ...table, incarnation: 2 }));
    expect(plan(known, offers, latest).begin).toEqual([]);
  });

  test("stops a table alone that is another one now, has another key, is not published, or failed before", () => {
    const known = ["a", "b", "c", "d", "e"].map((name) => part(offer(name)));
    const offers = [offer("a", { object: "another" }), offer("b", { logged: false }), offer("c"), offer("d")];
    offers.push(offer("e", { schema: schemaOf("e", []) }));
    const failed = new Map([[tableId("shop", "c"), new MillraceError("SINK_DUPLICATE_KEY", "twice")]]);
    const planned = plan(known, offers, { failed });
    expect(stops(planned)).toEqual([
      ["shop.a", "SCHEMA_CHANGED"],
      ["shop.b", "TABLE_UNPUBLISHED"],
      ["shop.c", "SINK_DUPLICATE_KEY"],
      ["shop.e", "SCHEMA_CHANGED"],
    ]);
    expect(planned.live.map((schema) => schema.id)).toEqual(["shop.d"]);
  });

  test("stops a table without a key that failed before, instead of beginning it again", () => {
    const keyless = offer("a", { schema: schemaOf("a", []) });
    const known = [part(keyless, { kind: "planned" }), part(offer("b"))];
    const failed = new Map([[tableId("shop", "a"), new MillraceError("SINK_DUPLICATE_KEY", "twice")]]);
    const planned = plan(known, [keyless, offer("b")], { failed });
    expect(stops(planned)).toEqual([["shop.a", "SINK_DUPLICATE_KEY"]]);
    expect(planned.begin).toEqual([]);
    expect(planned.live.map((schema) => schema.id)).toEqual(["shop.b"]);
  });

  test("refuses another source, a changed pipeline file, and new tables that cannot be read", () => {
    const inspection = { offers: [], server: "", notes: [], cutMethod: "" };
    const elsewhere = { inspection: { ...inspection, identity: { system: "2" }, refusals: [] } };
    expect(() => plan([part(offer("a"))], [], elsewhere)).toThrow(expect.objectContaining({ code: "SOURCE_CHANGED" }));
    const retargeted = { terms: (of: TableOffer) => ({ ...terms(of), target: "elsewhere" }) };
    expect(() => plan([part(offer("a"))], [offer("a")], retargeted)).toThrow(
      expect.objectContaining({ code: "TABLES_CHANGED" }),
    );
    const refusals = ["x", "y"].map((name) => ({
      table: tableId("shop", name),
      error: new MillraceError("TABLE_NO_IDENTITY", `${name} has none`, { hint: `ALTER TABLE ${name}` }),
    }));
    const refusing = { inspection: { ...inspection, identity, refusals } };
    expect(() => plan([], [], refusing)).toThrow(
      expect.objectContaining({ code: "TABLES_REFUSED", hint: "ALTER TABLE x\nALTER TABLE y" }),
    );
  });

  test("stops a table that the source refuses now, and goes on with the others", () => {
    const error = new MillraceError("TABLE_NO_IDENTITY", "it has none any more");
    const refusals = [{ table: tableId("shop", "a"), error }];
    const inspection = { identity, server: "", offers: [offer("b")], refusals, notes: [], cutMethod: "" };
    const planned = plan([part(offer("a")), part(offer("b"))], [], { inspection });
    expect(stops(planned)).toEqual([["shop.a", "TABLE_NO_IDENTITY"]]);
    expect(planned.remove).toEqual([]);
  });
});
