import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { millraceProcess } from "../../test/support/millrace-process.ts";

// Through the built command: what a shell sees of it. All its answers are in program.test.ts.
let folder: string;
const GOOD =
  "source: {type: postgres, hostname: h, username: u, password: p, tables: d.s.t}\nsink: {type: discard}\npipeline: {name: shop}\n";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "millrace-main-"));
  await writeFile(join(folder, "good.yaml"), GOOD);
  await writeFile(join(folder, "bad.yaml"), GOOD.replace("password: p", 'password: "${SECRET}", port: "${SECRET}"'));
});
afterAll(() => rm(folder, { recursive: true }));

async function outcome(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number | null; out: string; err: string }> {
  await using run = millraceProcess(args, { cwd: folder, env });
  const { code } = await run.exit();
  return { code, out: run.stdout, err: run.stderr };
}

test("done is exit 0", async () => {
  expect(await outcome(["validate", "good.yaml"])).toEqual({
    code: 0,
    out: "good.yaml is valid: pipeline shop, postgres to discard\n",
    err: "",
  });
  expect(await outcome(["--version"])).toEqual({ code: 0, out: "0.1.0\n", err: "" });
});

test("bad usage is exit 2", async () => {
  expect(await outcome(["run"])).toEqual({
    code: 2,
    out: "",
    err: "error USAGE: missing required argument 'file'\n  hint: See `millrace --help`.\n",
  });
});

test("a bad file is exit 2, and what comes from the environment is not printed", async () => {
  expect(await outcome(["validate", "bad.yaml"], { SECRET: "swordfish" })).toEqual({
    code: 2,
    out: "",
    err: [
      "error CONFIG_INVALID: `port` takes a whole number from 1 to 65535, not the value of `${SECRET}`",
      "  at bad.yaml:1:81",
      "  hint: Mend the places named, then check with `millrace validate FILE`.",
      "",
    ].join("\n"),
  });
});
