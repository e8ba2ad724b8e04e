import { expect, test } from "vitest";
import { testAmbient } from "../../../test/support/test-ambient.ts";
import { sourceOptions, RULES } from "../../../test/support/postgres-source.ts";
import { tableId } from "../../core/table-schema.ts";
import { LazySession } from "./connection.ts";
import type { RelationMessage } from "./pgoutput.ts";
import { xid64 } from "./position.ts";
import { relationLookup } from "./relation-lookup.ts";

const XID = xid64(700n);
const orders = tableId("shop", "orders");

function relation(oid: number, name: string): RelationMessage {
  return { oid, namespace: "shop", name, replicaIdentity: "d", columns: [] };
}

test("a table that the log names first by another name is stopped, and one of somebody else is passed over", async () => {
  const address = { host: "127.0.0.1", port: 1, user: "nobody", password: "", database: "nowhere" };
  await using sessions = new LazySession(sourceOptions(address, "shop.orders"), {
    statementTimeoutMs: 0,
    lockTimeoutMs: 0,
  });
  const lookup = relationLookup(sessions, RULES, new Map([[orders, 7]]), testAmbient(), new AbortController().signal);
  expect(await lookup(relation(7, "orders_old"), null, XID)).toMatchObject({
    kind: "stop",
    table: orders,
    error: { code: "SCHEMA_CHANGED", message: expect.stringContaining("renamed to shop.orders_old") },
  });
  expect(await lookup(relation(8, "orders_new"), null, XID)).toEqual({ kind: "ignore" });
});
