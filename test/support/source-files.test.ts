import { expect, it } from "vitest";
import { importCycles, importSpecifiers } from "./source-files.ts";

it.each([
  [`import pg from "pg";`, ["pg"]],
  [`import { a, type B } from "./a.ts";\nimport type { C } from './c.ts';`, ["./a.ts", "./c.ts"]],
  [`import {\n  a,\n  b,\n} from "./long.ts";`, ["./long.ts"]],
  [`import * as all from "./all.ts"; import "./side-effect.ts";`, ["./all.ts", "./side-effect.ts"]],
  [`export * from "./everything.ts";\nexport { type X, y } from "./y.ts";`, ["./everything.ts", "./y.ts"]],
  [`const { z } = await import("./lazy.ts");\nlet t: import("./type.ts").T;`, ["./lazy.ts", "./type.ts"]],
  [`// import a from "./not.ts";\n/* import b from "./not.ts" */`, []],
  [`/**\n * import c from "./not.ts";\n */\nexport const from = "a word";`, []],
  [`export function f(): string {\n  return query("SELECT 1 FROM 'x'");\n}`, []],
])("finds the imports of %j", (text, expected) => {
  expect(importSpecifiers(text)).toEqual(expected);
});

it("finds a cycle and names the way round", () => {
  const file = (
    path: string,
    ...imports: readonly string[]
  ): { path: string; text: string; imports: readonly string[] } => ({
    path,
    text: "",
    imports,
  });
  expect(importCycles([file("a", "b"), file("b", "c", "x"), file("c", "b"), file("d", "a")])).toEqual(["b → c → b"]);
  expect(importCycles([file("a", "b", "c"), file("b", "c"), file("c")])).toEqual([]);
});
