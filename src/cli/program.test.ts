import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { recordedScreen } from "../../test/support/recorded-screen.ts";
import { millrace } from "./program.ts";
import type { Surroundings } from "./surroundings.ts";

let folder: string;
const GOOD =
  "source: {type: postgres, hostname: h, username: u, password: p, tables: d.s.t}\nsink: {type: discard}\npipeline: {name: shop}\n";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "millrace-cli-"));
  await writeFile(join(folder, "good.yaml"), GOOD);
  await writeFile(
    join(folder, "bad.yaml"),
    GOOD.replace("hostname: h", "hostnam: h").replace("name: shop", "name: a/b"),
  );
});
afterAll(() => rm(folder, { recursive: true }));

/** A command line and what it came to; FOLDER in it is the test's, and in what it printed again. */
async function outcome(
  args: readonly string[],
  environment: Record<string, string> = {},
): Promise<{ code: number; out: string; err: string }> {
  const [out, err] = [recordedScreen(100, 24, false), recordedScreen(100, 24, false)];
  const surroundings: Surroundings = {
    out,
    err,
    environment,
    pid: 7,
    residentBytes: () => 0,
    version: "1.2.3",
    onStopSignal: () => ({ [Symbol.dispose]: () => undefined }),
    exitNow: () => undefined,
    signalItself: () => undefined,
    isAlive: () => false,
    ask: () => Promise.resolve(null),
  };
  const code = await millrace(
    args.map((word) => word.replace("FOLDER", folder)),
    surroundings,
  );
  const shown = (text: string): string => text.replaceAll(folder, "FOLDER");
  return { code, out: shown(out.take()), err: shown(err.take()) };
}

describe("usage", () => {
  test.each<readonly [string, readonly string[], string]>([
    ["no file", ["run"], "error USAGE: missing required argument 'file'\n  hint: See `millrace --help`.\n"],
    [
      "two files",
      ["validate", "a", "b"],
      "error USAGE: too many arguments for 'validate'. Expected 1 argument but got 2.\n  hint: See `millrace --help`.\n",
    ],
    [
      "a worker of nothing",
      ["worker", "FOLDER/good.yaml", "--concurrency", "0"],
      "error USAGE: option '--concurrency <chunks>' argument '0' is invalid. It takes a whole number from 1 to 64.\n  hint: See `millrace --help`.\n",
    ],
    [
      "a worker of a pipeline that has no use for any",
      ["worker", "FOLDER/good.yaml"],
      "error USAGE: the pipeline has no use for workers: its run reads the chunks itself\n  hint: Set `snapshot.executor: bullmq` in the section `pipeline`, for the run and for its workers.\n",
    ],
    ["an unknown command", ["runn", "a"], "error USAGE: unknown command 'runn'\n  hint: Did you mean run?\n"],
    [
      "an unknown option",
      ["status", "a", "--jsn"],
      "error USAGE: unknown option '--jsn'\n  hint: Did you mean --json?\n",
    ],
    [
      "another moment",
      ["run", "a", "--until", "noon"],
      "error USAGE: option '--until <moment>' argument 'noon' is invalid. Allowed choices are caught-up.\n  hint: See `millrace --help`.\n",
    ],
    [
      "no name of a table",
      ["run", "a", "--resnapshot", "orders"],
      'error USAGE: "orders" is not the name of a table\n  hint: Write schema.table, as `millrace status` shows it; "Odd.Name" in double quotes.\n',
    ],
    [
      "nobody to ask",
      ["drop", "FOLDER/good.yaml"],
      "error USAGE: drop needs an answer and there is no terminal to ask on\n  hint: Add --yes.\n",
    ],
  ])("%s is exit 2 and one sentence", async (_, args, err) => {
    expect(await outcome(args)).toMatchObject({ code: 2, err });
  });

  test("no command is exit 2 and the help", async () => {
    const { code, err } = await outcome([]);
    expect(code).toBe(2);
    expect(err).toContain("millrace run shop.yaml");
    expect(err).toContain("error USAGE: a command is missing\n");
  });

  test("an unknown failpoint is exit 2", async () => {
    const { code, err } = await outcome(["run", "FOLDER/good.yaml"], { MILLRACE_FAILPOINT: "nowhere" });
    expect(code).toBe(2);
    expect(err).toContain('error USAGE: there is no failpoint "nowhere"\n');
  });
});

test("--help and --version are exit 0, on stdout", async () => {
  const help = await outcome(["run", "--help"]);
  expect(help).toMatchObject({ code: 0, err: "" });
  expect(help.out).toContain("--until <moment>");
  expect(await outcome(["--version"])).toEqual({ code: 0, out: "1.2.3\n", err: "" });
});

describe("validate", () => {
  test("a good file is exit 0", async () => {
    expect(await outcome(["validate", "FOLDER/good.yaml"])).toEqual({
      code: 0,
      out: "FOLDER/good.yaml is valid: pipeline shop, postgres to discard\n",
      err: "",
    });
  });

  test("a bad one is exit 2, and all that is wrong with it", async () => {
    const err = [
      "error CONFIG_INVALID: the pipeline file has 3 problems",
      "  FOLDER/bad.yaml:1:1: `hostname` is missing in `source`",
      "  FOLDER/bad.yaml:1:26: unknown key `hostnam` in `source`; did you mean `hostname`?",
      "  FOLDER/bad.yaml:3:18: `name` takes letters, digits, spaces, `_`, `-` and `.`, at most 100, with a letter or digit at both ends, not `a/b`",
      "  hint: Mend the places named, then check with `millrace validate FILE`.",
      "",
    ];
    expect(await outcome(["validate", "FOLDER/bad.yaml"])).toEqual({ code: 2, out: "", err: err.join("\n") });
  });

  test("no file, and a folder, are exit 2", async () => {
    expect(await outcome(["validate", "FOLDER/none.yaml"])).toMatchObject({
      code: 2,
      err: expect.stringContaining(
        "error CONFIG_INVALID: the pipeline file cannot be read: there is no such file\n  at FOLDER/none.yaml\n",
      ),
    });
    expect(await outcome(["validate", "FOLDER"])).toMatchObject({
      code: 2,
      err: expect.stringContaining("it is a folder"),
    });
  });

  test("a stack is printed for those who ask alone", async () => {
    const asked = await outcome(["run", "FOLDER/bad.yaml", "--log-level", "debug"]);
    expect(asked.err).toContain("    at ");
    expect((await outcome(["run", "FOLDER/bad.yaml"])).err).not.toContain("    at ");
  });
});
