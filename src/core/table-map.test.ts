import fc from "fast-check";
import { expect, test } from "vitest";
import { TableMap } from "./table-map.ts";
import type { TableId } from "./table-schema.ts";

const id = fc.string({ maxLength: 3 }) as fc.Arbitrary<TableId>;
const entries = fc.array(fc.tuple(id, fc.integer()), { maxLength: 400 });

test("it holds what was put into it, and no map changes by what comes of it", () => {
  fc.assert(
    fc.property(entries, entries, (first, more) => {
      const model = new Map(first);
      const begun = TableMap.of(first);
      let grown = begun;
      const later = new Map(model);
      for (const [key, value] of more) {
        grown = grown.with(key, value);
        later.set(key, value);
      }
      expect(new Map(begun)).toEqual(model);
      expect(new Map(grown)).toEqual(later);
      for (const [key] of more) expect([begun.get(key), grown.get(key)]).toEqual([model.get(key), later.get(key)]);
      const doubled = new Map([...later].map(([key, value]) => [key, value * 2] as const));
      expect(new Map(grown.map((value) => value * 2))).toEqual(doubled);
    }),
  );
});

test("as JSON it is an object by table", () => {
  const map = TableMap.of([["public.a" as TableId, 1]]).with("public.b" as TableId, 2);
  expect(JSON.parse(JSON.stringify(map))).toEqual({ "public.a": 1, "public.b": 2 });
});
