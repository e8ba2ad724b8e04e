import { readFileSync } from "node:fs";
import { join } from "node:path";
import type pg from "pg";
import { projectRoot } from "../test/support/project-root.ts";

/**
 * A column, and how both databases write its value as the same text. `exact` has one cast for both; the others are
 * rendered from what is exact in both: microseconds as an integer.
 */
type Rendering = "text" | "microseconds";

export interface ShopTable {
  readonly name: string;
  readonly key: readonly string[];
  readonly columns: readonly { readonly name: string; readonly as: Rendering }[];
}

const text = (...names: string[]): ShopTable["columns"] => names.map((name) => ({ name, as: "text" }));
const moment = (...names: string[]): ShopTable["columns"] => names.map((name) => ({ name, as: "microseconds" }));

export const SHOP: readonly ShopTable[] = [
  {
    name: "customers",
    key: ["id"],
    columns: [
      ...text("id", "public_id", "name", "email", "born", "newsletter", "credit", "preferences"),
      ...moment("created_at"),
    ],
  },
  {
    name: "products",
    key: ["sku"],
    columns: [
      ...text("sku", "name", "description", "price", "tags", "attributes", "available"),
      ...moment("updated_at"),
    ],
  },
  {
    name: "orders",
    key: ["id"],
    columns: [
      ...text("id", "customer_id", "status", "total", "note", "delivery"),
      ...moment("ordered_at", "updated_at"),
    ],
  },
  {
    name: "order_lines",
    key: ["order_id", "line_no"],
    columns: text("order_id", "line_no", "sku", "quantity", "unit_price", "discount", "gift"),
  },
];

/** How many rows demo/shop.sql makes: the workload picks its victims below these. */
export const FILLED = { customers: 60_000, products: 10_000, orders: 400_000 } as const;

/** Statements of demo/shop.sql are set apart by an empty line: `vacuum` wants a query of its own. */
export async function fillShop(client: pg.Client, signal: AbortSignal): Promise<void> {
  const statements = readFileSync(join(projectRoot, "demo", "shop.sql"), "utf8").split("\n\n");
  for (const statement of statements) {
    signal.throwIfAborted();
    await client.query(statement);
  }
}
