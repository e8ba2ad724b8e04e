import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { removeLeftovers, serverFolder } from "./leftovers.ts";
import { within } from "./wait-for.ts";

it.each([
  ["postgres", "data/postmaster.pid", "SIGQUIT"],
  ["mysql", "server.pid", "SIGKILL"],
  ["mariadb", "server.pid", "SIGKILL"],
] as const)(
  "ends and removes what runs that are gone have left (%s), and nothing else",
  async (kind, pidFile, signal) => {
    const gone = spawnSync(process.execPath, ["--version"]).pid;
    const left = mkdtempSync(join(tmpdir(), serverFolder(kind, gone)));
    const used = mkdtempSync(join(tmpdir(), serverFolder(kind)));
    mkdirSync(join(left, "data"));
    const server = spawn(process.execPath, ["-e", "process.stdin.resume()", join(left, "data")]);
    const ended = once(server, "exit");
    writeFileSync(join(left, pidFile), `${server.pid}\n`);
    removeLeftovers();
    expect(await within("the server to end", ended)).toEqual([null, signal]);
    expect([existsSync(left), existsSync(used)]).toEqual([false, true]);
    rmdirSync(used);
  },
);
