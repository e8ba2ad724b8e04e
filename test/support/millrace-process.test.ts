import { writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { MillraceProcess } from "./millrace-process.ts";
import { tempFolder } from "./temp-folder.ts";

const PROGRAM = `
  import { createServer } from "node:net";
  console.log("epoch", process.argv[2]);
  createServer().listen(0);
  process.on("SIGTERM", () => {
    console.error("stopping");
    process.exit(3);
  });
`;

it("reads what a process prints as it comes, signals it, and tells how it ended", async () => {
  await using folder = tempFolder();
  writeFileSync(folder.file("program.mjs"), PROGRAM);
  await using run = new MillraceProcess(["7"], {}, folder.file("program.mjs"));
  expect((await run.untilOutput(/epoch (\d)/, { stream: "stdout" }))[1]).toBe("7");
  await expect(run.untilOutput(/never/, { deadlineMs: 100 })).rejects.toThrow(/100 ms in vain[^]*epoch 7/);
  await expect(run.exit(100)).rejects.toThrow(/100 ms in vain for millrace to exit/);
  const tooLate = expect(run.untilOutput(/never/)).rejects.toThrow(/ended without printing/);
  run.signal("SIGTERM");
  expect(await run.exit()).toEqual({ code: 3, signal: null });
  await tooLate;
  expect(run.stderr).toBe("stopping\n");
});

it("kills at the end what is still running", async () => {
  await using folder = tempFolder();
  writeFileSync(folder.file("program.mjs"), PROGRAM);
  const run = new MillraceProcess(["1"], {}, folder.file("program.mjs"));
  await run.untilOutput(/epoch/);
  await run[Symbol.asyncDispose]();
  expect(await run.exit()).toEqual({ code: null, signal: "SIGKILL" });
});
