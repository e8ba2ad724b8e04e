import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import type { ObjectStore } from "../../src/stores/object-store.ts";
import { createStore } from "../../src/stores/open-store.ts";
import type { S3Options } from "../../src/stores/s3/options.ts";
import { patternBytes } from "../support/pattern-bytes.ts";
import { createBucket, type TestBucket } from "../support/s3.ts";
import { startS3FaultProxy, type S3Fault, type S3Operation, type S3FaultProxy } from "../support/s3-proxy.ts";
import { startProxy } from "../support/proxy.ts";
import { waitFor } from "../support/wait-for.ts";
import { bytesOf, hurriedClock, keysOf, leftoverKeys, staged } from "./store.ts";

const { signal } = new AbortController();
const ABSENT = { kind: "absent" } as const;
const ATTEMPTS = 3;

/** Each of these may have had its effect, and may not. */
const FAULTS: readonly S3Fault[] = (["before", "behind"] as const).flatMap((when) => [
  { kind: "answer", when, status: 500, code: "InternalError" },
  { kind: "answer", when, status: 503, code: "SlowDown" },
  { kind: "reset", when },
  { kind: "silence", when },
]);
/** Silence lasts long enough once. */
const LASTING: readonly S3Fault[] = FAULTS.filter(({ kind }) => kind !== "silence");
const named = (faults: readonly S3Fault[]): [string, S3Fault][] =>
  faults.map((fault) => {
    const what = fault.kind === "answer" ? `${fault.status} ${fault.code}` : fault.kind;
    return [fault.kind === "torn" ? what : `${what} ${fault.when}`, fault];
  });
const failing = (fault: S3Fault): S3Fault[] => Array.from({ length: ATTEMPTS }, () => fault);

let bucket: TestBucket;
let proxy: S3FaultProxy;
let store: ObjectStore;
beforeEach(async () => {
  bucket = await createBucket();
  proxy = await startS3FaultProxy(inject("s3"));
  store = storeWith({});
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
  await bucket[Symbol.asyncDispose]();
});

function storeWith(change: Partial<S3Options>): ObjectStore {
  const options = bucket.options({ attemptsMax: ATTEMPTS, requestTimeoutMs: 1_000, ...change }, proxy);
  return createStore({ kind: "s3", ...options }, hurriedClock);
}

async function textOf(key: string): Promise<string | null> {
  const bytes = await store.get(key, null, signal);
  return bytes === null ? null : Buffer.from(bytes).toString();
}

describe("completing", () => {
  const NOT_FOUND: S3Fault = { kind: "answer", when: "behind", status: 404, code: "NoSuchUpload" };

  test.each(named([...FAULTS, NOT_FOUND, { kind: "torn" }]))("takes place in spite of: %s", async (_, fault) => {
    const committable = await staged(store, "a/b", bytesOf("content"));
    proxy.spoil("complete", fault);
    await store.complete(committable, signal);
    expect(await textOf("a/b")).toBe("content");
    expect(await leftoverKeys(store)).toEqual([]);
  });

  test.each(named(LASTING))(
    "whose every answer is spoiled by %s: an error to be tried again, unless it took place",
    async (_, fault) => {
      const committable = await staged(store, "a/b", bytesOf("content"));
      proxy.spoil("complete", ...failing(fault));
      const completed = store.complete(committable, signal);
      if (fault.kind !== "torn" && fault.when === "behind") await completed;
      else {
        await expect(completed).rejects.toMatchObject({ retry: "timed", message: expect.stringContaining("a/b") });
        expect(await keysOf(store)).toEqual([]);
        await store.complete(committable, signal);
      }
      expect(await textOf("a/b")).toBe("content");
    },
  );

  test("which nobody can look into is an error to be tried again, and then known to have taken place", async () => {
    const committable = await staged(store, "a/b", bytesOf("content"));
    proxy.spoil("complete", ...failing({ kind: "reset", when: "behind" }));
    proxy.spoil("head", ...failing({ kind: "reset", when: "before" }));
    await expect(store.complete(committable, signal)).rejects.toMatchObject({
      code: "STORE_UNREACHABLE",
      retry: "timed",
    });
    await store.complete(committable, signal);
    expect(await textOf("a/b")).toBe("content");
  });

  test("that is refused is not looked into", async () => {
    const committable = await staged(store, "a/b", bytesOf("content"));
    proxy.spoil("complete", { kind: "answer", when: "before", status: 403, code: "AccessDenied" });
    await expect(store.complete(committable, signal)).rejects.toMatchObject({ code: "STORE_DENIED" });
    expect([proxy.count("complete"), proxy.count("head")]).toEqual([1, 0]);
  });

  test("of what the server does not show at once waits for it before it speaks of a loss", async () => {
    const committable = await staged(store, "a/b", bytesOf("content"));
    proxy.spoil("complete", { kind: "answer", when: "behind", status: 404, code: "NoSuchUpload" });
    const notYet: S3Fault = { kind: "answer", when: "before", status: 404, code: "NoSuchKey" };
    proxy.spoil("head", notYet, notYet, notYet);
    await store.complete(committable, signal);
    expect(proxy.count("head")).toBe(4);
  });
});

describe("writing a staged object", () => {
  test.each(
    (["create-upload", "part"] as const).flatMap((operation) =>
      named([...FAULTS, { kind: "torn" } as const]).map(([name, fault]): [S3Operation, string, S3Fault] => [
        operation,
        name,
        fault,
      ]),
    ),
  )("goes on in spite of a %s with %s", async (operation, _, fault) => {
    const content = patternBytes((5 << 20) + 1000);
    proxy.spoil(operation, fault);
    const committable = await staged(store, "a/b", content);
    await store.complete(committable, signal);
    expect(Buffer.compare((await store.get("a/b", null, signal))!, content)).toBe(0);
    // Of an upload that was begun twice nobody knows the first one's id.
    for await (const leftover of store.leftovers("", signal)) await store.discard(leftover, signal);
    expect(await textOf("a/b")).not.toBeNull();
  });

  test("of which a part cannot be sent breaks the writer, and aborting it leaves nothing", async () => {
    const writer = store.stage("a/b", signal);
    proxy.spoil("part", ...failing({ kind: "answer", when: "before", status: 500, code: "InternalError" }));
    await writer.write(patternBytes(5 << 20));
    const broken = { code: "STORE_UNREACHABLE", message: expect.stringContaining("part 1 of s3://") };
    await expect(writer.finish()).rejects.toMatchObject(broken);
    await expect(writer.finish()).rejects.toMatchObject(broken);
    await expect(writer.write(bytesOf("x"))).rejects.toMatchObject(broken);
    await writer.abort();
    expect(writer.heldBytes).toBe(0);
    expect(await leftoverKeys(store)).toEqual([]);
  });

  test("holds no more memory than it may, of all writers together", async () => {
    const [part, parallel] = [5 << 20, 2];
    await using narrow = storeWith({ partBytes: part, parallelUploads: parallel, requestTimeoutMs: 60_000 });
    const writers = [narrow.stage("a", signal), narrow.stage("b", signal)];
    const release = proxy.hold("part");
    const held = (): number => writers.reduce((sum, writer) => sum + writer.heldBytes, 0);
    let accepted = 0;
    const done = Promise.all(
      writers.map(async (writer) => {
        for (let i = 0; i < 10; i++) {
          await writer.write(new Uint8Array(part / 2));
          accepted += 1;
        }
        return await writer.finish();
      }),
    );
    await waitFor("parts to be under way", () => proxy.count("part") === parallel);
    const before = accepted;
    await narrow.list("", signal)[Symbol.asyncIterator]().next();
    expect(accepted).toBe(before);
    expect(proxy.count("part")).toBe(parallel);
    // One write of each writer is taken in any case.
    expect(held()).toBeLessThanOrEqual((parallel + 2 + 2) * part + part);
    release();
    await done;
    expect(accepted).toBe(20);
    expect(held()).toBe(0);
    expect(proxy.count("part")).toBe(10);
  });

  test("may take longer than silence may, on a slow line", async () => {
    await using line = await startProxy(inject("s3"));
    // So large that what the kernel takes over at once is little of it.
    const partBytes = 40 << 20;
    const options = bucket.options({ partBytes, requestTimeoutMs: 4_000, attemptsMax: 1 }, line);
    await using slow = createStore({ kind: "s3", ...options }, hurriedClock);
    line.throttle(8_000_000);
    const start = performance.now();
    const committable = await staged(slow, "a", patternBytes(partBytes));
    expect(performance.now() - start).toBeGreaterThan(options.requestTimeoutMs);
    line.throttle(Number.POSITIVE_INFINITY);
    await slow.complete(committable, signal);
    line.stall();
    await expect(slow.head("a", signal)).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
  });

  test("ends at once when its signal is aborted, and what it waits for too", async () => {
    const stop = new AbortController();
    proxy.hold("part");
    const writer = store.stage("a", stop.signal);
    await writer.write(patternBytes(5 << 20));
    const finished = writer.finish();
    await waitFor("a part to be under way", () => proxy.count("part") === 1);
    stop.abort(new Error("told to stop"));
    await expect(finished).rejects.toThrow("told to stop");
    await writer.abort();
    expect(await leftoverKeys(store)).toEqual([]);
  });
});

describe("a conditional put", () => {
  test.each(named([...FAULTS, { kind: "torn" }]))("knows its own write again: %s", async (_, fault) => {
    proxy.spoil("put", fault);
    const first = await store.put("a", bytesOf("first"), ABSENT, signal);
    expect(await store.head("a", signal)).toEqual(first);
    proxy.spoil("put", fault);
    const second = await store.put("a", bytesOf("second"), { kind: "same", tag: first.tag }, signal);
    expect(await store.head("a", signal)).toEqual(second);
    expect(await textOf("a")).toBe("second");
    await expect(store.put("a", bytesOf("second"), ABSENT, signal)).rejects.toMatchObject({ code: "STORE_CONDITION" });
  });

  test.each(named(LASTING))(
    "whose every answer is spoiled by %s took place, or can be tried again",
    async (_, fault) => {
      proxy.spoil("put", ...failing(fault));
      const put = store.put("a", bytesOf("first"), ABSENT, signal);
      if (fault.kind !== "torn" && fault.when === "behind") await put;
      else {
        await expect(put).rejects.toMatchObject({ retry: "timed" });
        await store.put("a", bytesOf("first"), ABSENT, signal);
      }
      expect(await textOf("a")).toBe("first");
    },
  );

  test("that meets another one is tried again until the server knows", async () => {
    proxy.spoil("put", { kind: "answer", when: "before", status: 409, code: "ConditionalRequestConflict" });
    await store.put("a", bytesOf("first"), ABSENT, signal);
    proxy.spoil("put", { kind: "answer", when: "before", status: 409, code: "ConditionalRequestConflict" });
    await expect(store.put("a", bytesOf("second"), ABSENT, signal)).rejects.toMatchObject({ code: "STORE_CONDITION" });
  });
});

describe("every other request", () => {
  const READS: readonly S3Fault[] = FAULTS.filter((fault) => fault.kind !== "torn" && fault.when === "before");

  test.each(named([...READS, { kind: "torn" }]))("is repeated: %s", async (_, fault) => {
    const content = patternBytes(300_000);
    for (const operation of ["put", "get", "head", "list", "list-uploads", "delete"] as const)
      proxy.spoil(operation, fault);
    await store.put("a", content, null, signal);
    expect(Buffer.compare((await store.get("a", null, signal))!, content)).toBe(0);
    expect((await store.head("a", signal))?.bytes).toBe(300_000);
    expect(await keysOf(store)).toEqual(["a"]);
    expect(await leftoverKeys(store)).toEqual([]);
    await store.delete(["a"], signal);
    expect(await store.head("a", signal)).toBeNull();
  });

  test("of a deletion of many, each that failed is repeated on its own, and an error where it may not be", async () => {
    const partly = (code: string): S3Fault => {
      const failed = `<Error><Key>lake/b</Key><Code>${code}</Code><Message>no</Message></Error>`;
      const body = `<?xml version="1.0" encoding="UTF-8"?><DeleteResult>${failed}</DeleteResult>`;
      return { kind: "answer", when: "before", status: 200, code, body };
    };
    for (const key of ["a", "b"]) await store.put(key, bytesOf(key), null, signal);
    proxy.spoil("delete", partly("InternalError"), { kind: "reset", when: "before" });
    await store.delete(["a", "b"], signal);
    expect(await keysOf(store)).toEqual(["a"]);
    const denied: S3Fault = { kind: "answer", when: "before", status: 403, code: "AccessDenied" };
    proxy.spoil("delete", partly("AccessDenied"), denied);
    await expect(store.delete(["a", "b"], signal)).rejects.toMatchObject({ code: "STORE_DENIED" });
    await store.delete(["a"], signal);
  });

  test("is not repeated for ever, and tells how often it was", async () => {
    proxy.spoil("get", ...failing({ kind: "answer", when: "before", status: 500, code: "InternalError" }));
    const failed = store.get("a", null, signal);
    await expect(failed).rejects.toMatchObject({
      code: "STORE_UNREACHABLE",
      message: expect.stringContaining("after 3 attempts"),
    });
    proxy.spoil("get", ...failing({ kind: "answer", when: "before", status: 503, code: "SlowDown" }));
    await expect(store.get("a", null, signal)).rejects.toMatchObject({ code: "STORE_BUSY", retry: "timed" });
  });

  test("is not repeated where the server refuses it", async () => {
    proxy.spoil("get", { kind: "answer", when: "before", status: 403, code: "AccessDenied" });
    await expect(store.get("a", null, signal)).rejects.toMatchObject({ code: "STORE_DENIED" });
    proxy.spoil("get", { kind: "answer", when: "before", status: 400, code: "InvalidArgument" });
    await expect(store.get("a", null, signal)).rejects.toMatchObject({ code: "STORE_FAILED" });
    expect(proxy.count("get")).toBe(2);
  });
});
