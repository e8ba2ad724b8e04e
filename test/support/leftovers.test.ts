import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { removeLeftovers, SERVER_FOLDER } from "./leftovers.ts";

it("removes the folders of runs that are gone, and no others", () => {
  const gone = spawnSync(process.execPath, ["--version"]).pid;
  const left = mkdtempSync(join(tmpdir(), `${SERVER_FOLDER}${gone}-`));
  const used = mkdtempSync(join(tmpdir(), `${SERVER_FOLDER}${process.pid}-`));
  mkdirSync(join(left, "data"));
  removeLeftovers();
  expect([existsSync(left), existsSync(used)]).toEqual([false, true]);
  rmdirSync(used);
});
