import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createStore } from "../../src/stores/open-store.ts";
import type { Committable, ObjectStore } from "../../src/stores/object-store.ts";
import { patternBytes } from "../support/pattern-bytes.ts";
import { projectRoot } from "../support/project-root.ts";
import { Random } from "../support/random.ts";
import { tempFolder, type TempFolder } from "../support/temp-folder.ts";
import { all, bytesOf, hurriedClock, keysOf, leftoverKeys, staged, storeConformance } from "./store.ts";

storeConformance("folder", () => {
  const folder = tempFolder();
  const path = folder.file("lake");
  return Promise.resolve({
    abilities: { conditionalPut: true, conditionalReplace: false },
    atomic: true,
    partBytes: 1 << 20,
    store: () => createStore({ kind: "folder", path }, hurriedClock),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  });
});

describe("the folder of a store", () => {
  const { signal } = new AbortController();
  let temp: TempFolder;
  let path: string;
  let store: ObjectStore;
  beforeEach(() => {
    temp = tempFolder();
    path = temp.file("lake");
    store = storeAt(path);
  });
  afterEach(() => temp[Symbol.asyncDispose]());

  function storeAt(folder: string): ObjectStore {
    return createStore({ kind: "folder", path: folder }, hurriedClock);
  }

  async function files(): Promise<string[]> {
    const entries = await readdir(path, { recursive: true, withFileTypes: true });
    return entries.filter((it) => it.isFile()).map((it) => join(it.parentPath, it.name).slice(path.length + 1));
  }

  test("is made where its parent is there, and else it is an error that names that", async () => {
    await store.open(signal);
    expect((await stat(path)).isDirectory()).toBe(true);
    const lost = storeAt(join(path, "not", "there"));
    await expect(lost.open(signal)).rejects.toMatchObject({
      code: "STORE_MISSING",
      message: expect.stringContaining(join(path, "not")),
    });
  });

  test("is refused where a file stands in its place, or in that of a folder in it", async () => {
    await writeFile(path, "");
    await expect(store.open(signal)).rejects.toMatchObject({
      code: "STORE_FAILED",
      place: { file: expect.stringContaining(path) },
    });
    await rm(path);
    await store.open(signal);
    await store.put("a", bytesOf("a"), null, signal);
    await expect(store.put("a/b", bytesOf("a"), null, signal)).rejects.toMatchObject({ code: "STORE_FAILED" });
    const committable = await staged(store, "a/b", bytesOf("a"));
    await expect(store.complete(committable, signal)).rejects.toMatchObject({ code: "STORE_FAILED" });
    expect(await store.get("a/b", null, signal)).toBeNull();
    await store.delete(["a/b"], signal);
    await store.delete(["a"], signal);
    await store.complete(committable, signal);
    await expect(store.put("a", bytesOf("a"), null, signal)).rejects.toMatchObject({ code: "STORE_FAILED" });
    await store.delete(["a"], signal);
    expect(await keysOf(store)).toEqual(["a/b"]);
  });

  test("in which nobody may write is refused", async () => {
    // Of the kernel: no user may make a folder here, root neither.
    await expect(storeAt("/sys/lake").open(signal)).rejects.toMatchObject({ code: "STORE_DENIED" });
  });

  test("with a name that is too long for it", async () => {
    await store.open(signal);
    const key = `t/${"x".repeat(300)}`;
    await expect(store.put(key, bytesOf("a"), null, signal)).rejects.toMatchObject({
      code: "STORE_FAILED",
      hint: expect.stringContaining("Shorten"),
    });
    await expect(store.stage(key, signal).finish()).rejects.toMatchObject({ code: "STORE_FAILED" });
  });

  test("whose staging is on another file system is refused when it is opened", async () => {
    const other = await mkdtemp("/dev/shm/millrace-test-");
    try {
      await mkdir(path);
      await symlink(other, join(path, ".staged"));
      await expect(store.open(signal)).rejects.toMatchObject({
        code: "STORE_FAILED",
        hint: expect.stringContaining("one file system"),
      });
      expect(await readdir(other)).toEqual([]);
    } finally {
      await rm(other, { recursive: true });
    }
  });

  test("shows nothing of what is staged to whoever looks for files by their ending", async () => {
    await store.open(signal);
    const committable = await staged(store, "t/day=1/part.parquet", bytesOf("a"));
    expect(await files()).toEqual([".staged/t/day=1/part.parquet.staged"]);
    await store.complete(committable, signal);
    expect(await files()).toEqual(["t/day=1/part.parquet"]);
    // The folders that staging has left are taken away when it is opened next.
    await storeAt(path).open(signal);
    expect(await readdir(join(path, ".staged"))).toEqual([]);
    await store.complete(await staged(store, "t/day=1/other.parquet", bytesOf("a")), signal);
  });

  test("holds no file open between the writes", async () => {
    await store.open(signal);
    const open = async (): Promise<number> => (await readdir("/proc/self/fd")).length;
    const before = await open();
    const writers = Array.from({ length: 100 }, (_, i) => store.stage(`many/${i}`, signal));
    for (const writer of writers) await writer.write(bytesOf("x"));
    expect(await open()).toBeLessThan(before + 20);
    for (const writer of writers) await writer.abort();
  });

  test("takes in a loss of what is staged: removed, cut off, or staged a second time", async () => {
    await store.open(signal);
    const file = (key: string): string => join(path, ".staged", `${key}.staged`);
    const writer = store.stage("a", signal);
    await writer.write(bytesOf("one"));
    await expect(store.stage("a", signal).write(bytesOf("other"))).rejects.toMatchObject({ code: "INTERNAL" });
    await rm(file("a"));
    await expect(writer.write(bytesOf("two"))).rejects.toMatchObject({ code: "STORE_STAGED_LOST" });
    await expect(writer.finish()).rejects.toMatchObject({ code: "STORE_STAGED_LOST" });
    await writer.abort();
    const committable = await staged(store, "b", bytesOf("whole"));
    await truncate(file("b"), 3);
    await expect(store.complete(committable, signal)).rejects.toMatchObject({
      code: "STORE_STAGED_LOST",
      message: expect.stringContaining("3 bytes and not 5"),
    });
    await rm(join(path, ".staged"), { recursive: true });
    await store.complete(await staged(store, "c/d", bytesOf("again")), signal);
    expect(await keysOf(store)).toEqual(["c/d"]);
  });

  test("counts what a crash has left of a put among the leftovers, and nothing else in there", async () => {
    await store.open(signal);
    await mkdir(join(path, ".staged", "a"));
    await writeFile(join(path, ".staged", "a", "b.3f2b8c1e-0a1b-4c2d-8e3f-123456789abc.put"), "half");
    await writeFile(join(path, ".staged", "a", "somebody's"), "");
    const leftovers = await all(store.leftovers("", signal));
    expect(leftovers.map(({ key }) => key)).toEqual(["a/b"]);
    await store.discard(leftovers[0]!, signal);
    expect(await leftoverKeys(store)).toEqual([]);
    expect(await files()).toEqual([".staged/a/somebody's"]);
    for (const name of ["../../outside.staged", "../a.staged", "a/somebody's", "c.staged"])
      await expect(store.discard({ key: "b", staged: { kind: "file", name } }, signal)).rejects.toMatchObject({
        code: "INTERNAL",
      });
  });

  test("passes over what is no object of its own: links, of which some lead in a circle, and names that are no keys", async () => {
    await store.open(signal);
    await store.put("a/b", bytesOf("b"), null, signal);
    await symlink(path, join(path, "a", "circle"));
    await symlink(join(path, "a", "b"), join(path, "a", "link"));
    await writeFile(join(path, "a", "no\nkey"), "");
    expect(await keysOf(store)).toEqual(["a/b"]);
    expect(await store.head("a/link", signal)).toBeNull();
  });

  describe("of a process of its own", () => {
    type Line =
      | { readonly kind: "finished"; readonly committable: Committable }
      | { readonly kind: "completed"; readonly key: string }
      | { readonly kind: "failed"; readonly code: string };

    /** What the process said, until it ended or was killed behind that many lines. */
    async function linesOf(
      args: readonly string[],
      options: { readonly killBehind?: number; readonly fileBlocks?: number },
    ): Promise<Line[]> {
      const program = join(projectRoot, "dist", "test", "conformance", "killed-store.js");
      const limit = options.fileBlocks === undefined ? "" : `ulimit -f ${options.fileBlocks} && `;
      const child = spawn("/bin/sh", ["-c", `${limit}exec "$@"`, "sh", process.execPath, program, ...args], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const lines: Line[] = [];
      for await (const line of createInterface({ input: child.stdout })) {
        lines.push(JSON.parse(line) as Line);
        if (lines.length === options.killBehind) child.kill("SIGKILL");
      }
      return lines;
    }

    test("that is killed at any moment: what is visible is whole, what it had finished can be completed", async () => {
      const random = new Random(3);
      for (let round = 0; round < 8; round++) {
        const lines = await linesOf([path, String(round), "100000"], { killBehind: 1 + random.below(60) });
        const finished = lines.flatMap((line) => (line.kind === "finished" ? [line.committable] : []));
        const completed = lines.flatMap((line) => (line.kind === "completed" ? [line.key] : []));
        const prefix = (table: number): string => `t${table}/round=${round}/`;
        const visible = (await Promise.all([0, 1, 2].map((table) => keysOf(store, prefix(table))))).flat();
        expect(visible).toEqual(expect.arrayContaining(completed));
        for (const key of visible) await expectWhole(key);
        for (const committable of finished) await store.complete(committable, signal);
        for await (const leftover of store.leftovers("", signal)) await store.discard(leftover, signal);
        expect((await Promise.all([0, 1, 2].map((table) => keysOf(store, prefix(table))))).flat()).toEqual(
          expect.arrayContaining(finished.map(({ key }) => key)),
        );
        for (const { key } of finished) await expectWhole(key);
      }
      expect((await files()).filter((name) => name.startsWith(".staged"))).toEqual([]);
    });

    async function expectWhole(key: string): Promise<void> {
      const n = Number(key.slice(key.lastIndexOf("/") + 1));
      expect(Buffer.compare(await readFile(join(path, key)), patternBytes(100_000 + n, n)), key).toBe(0);
    }

    test("on a full disk: an error, and nothing is left of what it wrote", async () => {
      const lines = await linesOf([path, "0", "1000000"], { fileBlocks: 100 });
      expect(lines).toEqual([{ kind: "failed", code: "STORE_FULL" }]);
      expect(await files()).toEqual([]);
    });
  });
});
