import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { pid } from "node:process";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createFileStore, folderName } from "../../src/checkpoint/file/store.ts";
import type { CheckpointStore, StoredEpochs } from "../../src/core/checkpoint-store.ts";
import { tempFolder, type TempFolder } from "../support/temp-folder.ts";
import { checkpointConformance, epochRecord, opening, PIPELINE, plainStored, quietAmbient } from "./checkpoint.ts";

checkpointConformance("files", () => {
  const folder = tempFolder();
  return {
    failpoints: ["checkpoint.file-written", "checkpoint.file-renamed", "checkpoint.base-written"],
    store: (ambient) => createFileStore(folder.path, PIPELINE, ambient),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
});

describe("files of the checkpoint store", () => {
  let temp: TempFolder;
  let root: string;
  let folder: string;
  beforeEach(() => {
    temp = tempFolder();
    root = temp.path;
    folder = temp.file(folderName(PIPELINE));
  });
  afterEach(() => temp[Symbol.asyncDispose]());

  const fileStore = (owner: number = pid, ambient = quietAmbient()): CheckpointStore =>
    createFileStore(root, PIPELINE, { ...ambient, pid: owner });

  async function putEpochs(first: number, last: number): Promise<void> {
    await using store = fileStore();
    await store.open(opening());
    for (let epoch = first; epoch <= last; epoch++) {
      await store.put(epochRecord(epoch, 1, { [`table/t${epoch}`]: { rows: epoch } }));
      await store.confirm(epoch);
    }
  }

  async function reopen(ambient = quietAmbient()): Promise<StoredEpochs | null> {
    await using store = fileStore(pid, ambient);
    return await store.open(opening());
  }

  async function read(): Promise<StoredEpochs | null> {
    return await fileStore().read(opening().signal);
  }

  async function remove(): Promise<void> {
    await fileStore().remove(opening().signal);
  }

  async function files(): Promise<string[]> {
    return (await readdir(folder)).filter((name) => name.endsWith(".json")).sort();
  }

  test("are readable by people: a first line, then one part a line", async () => {
    await putEpochs(1, 1);
    const text = await readFile(join(folder, "1-epoch-0000000001.json"), "utf8");
    expect(text).toBe(
      `millrace checkpoint 1 epoch ${text.length - text.indexOf("\n") - 1} ${text.slice(text.indexOf("\n") - 8, text.indexOf("\n"))}\n` +
        `{"pipeline":"shop to warehouse","epoch":1,"token":1,"parts":{\n"position":"0/1",\n"table/t1":{"rows":1}\n}}\n`,
    );
    expect(await files()).toEqual(["1-epoch-0000000001.json"]);
  });

  test("stay few, and their bytes follow the change and not the state", async () => {
    await putEpochs(1, 200);
    expect((await files()).length).toBeLessThanOrEqual(66);
    const newest = await readFile(join(folder, "1-epoch-0000000200.json"));
    expect(newest.byteLength).toBeLessThan(200);
    expect((await reopen())?.newest.parts.size).toBe(201);
  });

  test("stay few when run after run claims the store and ends before its first epoch", async () => {
    await putEpochs(1, 2);
    for (let token = 2; token < 12; token++) {
      await using store = fileStore();
      const stored = await store.open(opening());
      await store.reset({ ...stored!.newest, token });
    }
    expect(await files()).toEqual(["10-base-0000000002.json", "11-base-0000000002.json"]);
    expect((await reopen())?.newest).toMatchObject({ epoch: 2, token: 11 });
  });

  test("a newest epoch cut off anywhere is passed over for the one before, with a warning", async () => {
    await putEpochs(1, 3);
    const path = join(folder, "1-epoch-0000000003.json");
    const whole = await readFile(path);
    for (let length = 0; length < whole.byteLength; length++) {
      await writeFile(path, whole.subarray(0, length));
      expect(await read()).toMatchObject({ newest: { epoch: 2 }, confirmed: { epoch: 2 } });
    }
    const ambient = quietAmbient();
    expect(await reopen(ambient)).toMatchObject({ newest: { epoch: 2 }, confirmed: { epoch: 2 } });
    expect(ambient.warnings).toEqual(["newest checkpoint file is damaged, using the one before"]);
    await putEpochs(3, 4);
    expect((await reopen())?.newest.epoch).toBe(4);
  });

  test("a changed byte anywhere never gives a wrong record", async () => {
    await putEpochs(1, 2);
    const path = join(folder, "1-epoch-0000000002.json");
    const whole = await readFile(path);
    for (let at = 0; at < whole.byteLength; at++) {
      const changed = Buffer.from(whole);
      changed[at]! ^= 1 << (at % 8);
      await writeFile(path, changed);
      expect((await read())?.newest.epoch, `byte ${at}`).toBe(1);
    }
  });

  test("a damaged file that is not the newest is an error that names it, and nothing changes", async () => {
    await putEpochs(1, 3);
    const path = join(folder, "1-epoch-0000000002.json");
    const whole = await readFile(path);
    await writeFile(path, whole.subarray(0, 40));
    const before = await files();
    const refused = { code: "CHECKPOINT_DAMAGED", message: expect.stringContaining(path), place: { file: path } };
    await expect(reopen()).rejects.toMatchObject(refused);
    await expect(read()).rejects.toMatchObject(refused);
    expect(await files()).toEqual(before);
    await writeFile(path, whole);
    expect((await reopen())?.newest.epoch).toBe(3);
  });

  test.each([
    ["an epoch in the middle", "1-epoch-0000000002.json"],
    ["the first epoch", "1-epoch-0000000001.json"],
  ])("%s that is missing is an error that names it", async (_, name) => {
    await putEpochs(1, 3);
    await rm(join(folder, name));
    await expect(reopen()).rejects.toMatchObject({
      code: "CHECKPOINT_DAMAGED",
      message: expect.stringContaining(`${name} is damaged: it is missing`),
    });
  });

  test("a damaged base, and an only epoch that is damaged, are errors: never recover empty", async () => {
    await putEpochs(1, 1);
    await writeFile(join(folder, "1-epoch-0000000001.json"), "");
    await expect(reopen()).rejects.toMatchObject({ code: "CHECKPOINT_DAMAGED" });
    await rm(folder, { recursive: true });
    await putEpochs(1, 70);
    const base = (await files()).find((name) => name.includes("base"))!;
    await writeFile(join(folder, base), "millrace");
    await expect(reopen()).rejects.toMatchObject({
      code: "CHECKPOINT_DAMAGED",
      message: expect.stringContaining(base),
    });
  });

  test("that are all damaged are passed over where the sink is to say how far it is, and go with the reset", async () => {
    await putEpochs(1, 3);
    for (const name of await files()) await writeFile(join(folder, name), "{}");
    await expect(reopen()).rejects.toMatchObject({ code: "CHECKPOINT_DAMAGED" });
    const ambient = quietAmbient();
    {
      await using store = fileStore(pid, ambient);
      expect(await store.open(opening({ passOverDamage: true }))).toBeNull();
      expect(ambient.warnings).toHaveLength(1);
      await store.reset({ epoch: 2, token: 9, parts: new Map() });
      await store.put({ pipeline: PIPELINE, epoch: 3, token: 9, parts: new Map() });
    }
    expect(await files()).toEqual(["2-base-0000000002.json", "2-epoch-0000000003.json"]);
    expect((await reopen())?.newest).toMatchObject({ epoch: 3, token: 9 });
  });

  test("a damaged base that a run began with is passed over for what was there before, until an epoch follows it", async () => {
    await putEpochs(1, 2);
    const base = join(folder, "2-base-0000000001.json");
    const reset = async (token: number): Promise<void> => {
      await using store = fileStore();
      await store.open(opening());
      await store.reset({ epoch: 1, token, parts: new Map([["position", "0/1"]]) });
    };
    await reset(2);
    const whole = await readFile(base);
    for (let length = 0; length < whole.byteLength; length++) {
      await writeFile(base, whole.subarray(0, length));
      expect((await read())?.newest.epoch).toBe(2);
    }
    const ambient = quietAmbient();
    expect((await reopen(ambient))?.newest.epoch).toBe(2);
    expect(ambient.warnings).toHaveLength(1);
    await reset(3);
    expect(await reopen()).toMatchObject({ newest: { epoch: 1, token: 3 }, confirmed: { epoch: 1 } });
    {
      await using store = fileStore();
      await store.open(opening());
      await store.put(epochRecord(2, 3));
    }
    expect(await files()).toEqual(["3-base-0000000001.json", "3-epoch-0000000002.json"]);
    await writeFile(join(folder, "3-base-0000000001.json"), "");
    await expect(reopen()).rejects.toMatchObject({ code: "CHECKPOINT_DAMAGED" });
  });

  test("another pipeline's file, or one under another's name, is damage", async () => {
    await putEpochs(1, 2);
    const other = await readFile(join(folder, "1-epoch-0000000002.json"));
    await writeFile(join(folder, "1-epoch-0000000001.json"), other);
    await expect(reopen()).rejects.toMatchObject({ message: expect.stringContaining("it holds the epoch of epoch 2") });
    const copy = join(root, "copy");
    await mkdir(copy);
    await writeFile(join(copy, "1-epoch-0000000002.json"), other);
    await expect(createFileStore(root, "copy", quietAmbient()).read(opening().signal)).rejects.toMatchObject({
      code: "CHECKPOINT_DAMAGED",
    });
  });

  test("a newer format is refused as such", async () => {
    await putEpochs(1, 2);
    const path = join(folder, "1-epoch-0000000002.json");
    await writeFile(path, Buffer.from("millrace checkpoint 2 epoch 3 5213c7fd\n???"));
    await expect(reopen()).rejects.toMatchObject({ code: "CHECKPOINT_NEWER_FORMAT", exitCode: 1 });
  });

  test("a full disk is an error, and the store goes on when there is room again", async () => {
    await putEpochs(1, 1);
    await using store = fileStore();
    await store.open(opening());
    // A device on which every write fails as on a full disk.
    await symlink("/dev/full", join(folder, "1-epoch-0000000002.json.tmp"));
    await expect(store.put(epochRecord(2, 1))).rejects.toMatchObject({ code: "CHECKPOINT_DISK_FULL" });
    expect((await read())?.newest.epoch).toBe(1);
    await store.put(epochRecord(2, 1));
    expect((await read())?.newest.epoch).toBe(2);
  });

  test("a file where the folder should be is an error with a way out", async () => {
    await writeFile(folder, "");
    await expect(reopen()).rejects.toMatchObject({
      code: "CHECKPOINT_UNWRITABLE",
      hint: expect.stringContaining("checkpoint.store"),
    });
  });

  test("what a crash left unfinished is removed at the next start", async () => {
    await putEpochs(1, 2);
    await writeFile(join(folder, "1-epoch-0000000003.json.tmp"), "half");
    await reopen();
    expect((await readdir(folder)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  describe("lock", () => {
    /** A process that lives until it is told to end. */
    async function otherProcess(): Promise<{ readonly pid: number; end(): Promise<void> }> {
      const child = spawn("sleep", ["600"]);
      await once(child, "spawn");
      return {
        pid: child.pid!,
        end: async () => {
          const exited = once(child, "exit");
          child.kill("SIGKILL");
          await exited;
        },
      };
    }

    test("of another living process is respected, that of a dead one is taken over", async () => {
      const other = await otherProcess();
      const theirs = fileStore(other.pid);
      await theirs.open(opening());
      await theirs.put(epochRecord(1, 1));
      const locked = { code: "CHECKPOINT_LOCKED", message: expect.stringContaining(`process ${other.pid} `) };
      await expect(reopen()).rejects.toMatchObject(locked);
      await expect(remove()).rejects.toMatchObject(locked);
      expect((await read())?.newest.epoch).toBe(1);
      await other.end();
      expect((await reopen())?.newest.epoch).toBe(1);
    });

    test("of an earlier process with the same id is not taken for the later one's", async () => {
      await mkdir(folder);
      const owner = { pid, host: hostname(), started: "earlier boot/1" };
      await writeFile(join(folder, "lock-7"), JSON.stringify({ kind: "held", owner }));
      expect(await reopen()).toBeNull();
      expect((await readdir(folder)).filter((name) => name.startsWith("lock"))).toEqual(["lock-8"]);
    });

    test("of another host, or one that is unreadable, names the file to delete", async () => {
      await mkdir(folder);
      const path = join(folder, "lock-1");
      for (const content of [`{"kind":"held","owner":{"pid":1,"host":"elsewhere","started":null}}`, "?"]) {
        await writeFile(path, content);
        await expect(reopen()).rejects.toMatchObject({
          code: "CHECKPOINT_LOCKED",
          hint: expect.stringContaining(path),
        });
      }
      await rm(path);
      expect(await reopen()).toBeNull();
    });

    test("of many that start at once over a dead owner, one gets it", async () => {
      const other = await otherProcess();
      await fileStore(other.pid).open(opening());
      await other.end();
      for (let round = 0; round < 20; round++) {
        const stores = Array.from({ length: 8 }, () => fileStore());
        const opened = await Promise.allSettled(stores.map((store) => store.open(opening())));
        expect(opened.filter(({ status }) => status === "fulfilled").length).toBeLessThanOrEqual(1);
        for (const result of opened)
          if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "CHECKPOINT_LOCKED" });
        for (const store of stores) await store[Symbol.asyncDispose]();
      }
      expect(await reopen()).toBeNull();
    });
  });

  test("reading while epochs are written, compacted and put back always sees one of the states that were", async () => {
    await putEpochs(1, 1);
    const epochs = new Set<number>();
    const written = new AbortController();
    const reader = (async () => {
      while (!written.signal.aborted) {
        const stored = await read();
        epochs.add(stored!.newest.epoch);
        expect(stored!.newest.parts.get("position")).toBe(`0/${stored!.newest.epoch}`);
      }
    })();
    await putEpochs(2, 150);
    await using store = fileStore();
    const { newest } = (await store.open(opening()))!;
    for (let round = 0; round < 20; round++) await store.reset({ ...newest, token: newest.token + 1 + round });
    written.abort();
    await reader;
    expect(epochs.size).toBeGreaterThan(1);
  });

  test("removing takes everything of this pipeline and nothing of another", async () => {
    await putEpochs(1, 3);
    await using other = createFileStore(root, "..", quietAmbient());
    await other.open(opening());
    await remove();
    await remove();
    expect(await readdir(root)).toEqual(["%2E."]);
    expect(plainStored(await read())).toBeNull();
    expect(await reopen()).toBeNull();
  });
});
