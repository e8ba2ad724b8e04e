import { readFileSync } from "node:fs";
import { join } from "node:path";
import type pg from "pg";
import { projectRoot } from "../test/support/project-root.ts";

/**
 * How both databases write a column's value as the same text. `plain`: the cast gives the same in both, and no comma
 * (numbers, uuid, dates, booleans). `text`: the same, but it may hold anything; arrays and jsonb arrive as PostgreSQL's
 * own text. `microseconds`: a moment as a whole number, which is exact in both.
 */
type Rendering = "plain" | "text" | "microseconds";

export interface ShopTable {
  readonly name: string;
  readonly key: readonly string[];
  readonly columns: readonly { readonly name: string; readonly as: Rendering }[];
}

const plain = (...names: string[]): ShopTable["columns"] => names.map((name) => ({ name, as: "plain" }));
const text = (...names: string[]): ShopTable["columns"] => names.map((name) => ({ name, as: "text" }));
const moment = (...names: string[]): ShopTable["columns"] => names.map((name) => ({ name, as: "microseconds" }));

export const SHOP: readonly ShopTable[] = [
  {
    name: "customers",
    key: ["id"],
    columns: [
      ...plain("id", "public_id", "born", "newsletter", "credit"),
      ...text("name", "email", "preferences"),
      ...moment("created_at"),
    ],
  },
  {
    name: "products",
    key: ["sku"],
    columns: [
      ...plain("price", "available"),
      ...text("sku", "name", "description", "tags", "attributes"),
      ...moment("updated_at"),
    ],
  },
  {
    name: "orders",
    key: ["id"],
    columns: [
      ...plain("id", "customer_id", "total", "delivery"),
      ...text("status", "note"),
      ...moment("ordered_at", "updated_at"),
    ],
  },
  {
    name: "order_lines",
    key: ["order_id", "line_no"],
    columns: [...plain("order_id", "line_no", "quantity", "unit_price", "discount", "gift"), ...text("sku")],
  },
];

/** How many rows demo/shop.sql makes: the workload picks its victims below these. */
export const FILLED = { customers: 60_000, products: 10_000, orders: 240_000 } as const;

/** Statements of demo/shop.sql are set apart by an empty line: `vacuum` wants a query of its own. */
export async function fillShop(client: pg.Client, signal: AbortSignal): Promise<void> {
  const statements = readFileSync(join(projectRoot, "demo", "shop.sql"), "utf8").split("\n\n");
  for (const statement of statements) {
    signal.throwIfAborted();
    await client.query(statement);
  }
}
