import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { expect, it } from "vitest";
import { removeLeftovers, serverFolder } from "./leftovers.ts";
import { within } from "./wait-for.ts";

it.each([
  ["postgres", "data/postmaster.pid", "SIGQUIT"],
  ["mysql", "server.pid", "SIGKILL"],
  ["mariadb", "server.pid", "SIGKILL"],
  ["s3", "server.pid", "SIGKILL"],
  ["redis", "server.pid", "SIGKILL"],
] as const)(
  "ends and removes what runs that are gone have left (%s), and nothing else",
  async (kind, pidFile, signal) => {
    const gone = spawnSync(process.execPath, ["--version"]).pid;
    // Tests beside this one remove leftovers too: until it is whole it has a name that they do not know.
    const unfinished = mkdtempSync(join(tmpdir(), "millrace-unfinished-"));
    const left = join(tmpdir(), `${serverFolder(kind, gone)}${basename(unfinished).slice(-6)}`);
    const used = mkdtempSync(join(tmpdir(), serverFolder(kind)));
    mkdirSync(join(unfinished, "data"));
    const server = spawn(process.execPath, ["-e", "process.stdin.resume()", join(left, "data")]);
    const ended = once(server, "exit");
    writeFileSync(join(unfinished, pidFile), `${server.pid}\n`);
    renameSync(unfinished, left);
    removeLeftovers();
    expect(await within("the server to end", ended)).toEqual([null, signal]);
    expect([existsSync(left), existsSync(used)]).toEqual([false, true]);
    rmdirSync(used);
  },
);
