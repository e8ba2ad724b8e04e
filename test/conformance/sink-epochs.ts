import { expect, test } from "vitest";
import { STAGED_KEY, type CommittedRecord } from "../../src/core/record.ts";
import { batch, type Change } from "./batch.ts";
import { opened, orders, signal, type Kill, type MakeHarness } from "./sink-harness.ts";
import { commit, PIPELINE, record, runScript, SCRIPT_ROWS, scripted } from "./sink-script.ts";

export function epochsAndRecords(harness: MakeHarness): void {
  test("reports nothing at first, then what was committed last, parts laid over each other", async () => {
    await using target = await harness();
    let sink = target.make();
    expect(await sink.open(PIPELINE, signal)).toBeNull();
    await commit(sink, record(1, { position: "a", source: "s" }));
    await commit(sink, record(2, { position: "b", gone: "x" }, 4));
    await commit(sink, record(3, { gone: null }, 4));
    await sink.close();
    sink = target.make();
    const expected: CommittedRecord = {
      epoch: 3,
      token: 4,
      parts: new Map(Object.entries({ position: "b", source: "s" })),
    };
    const found = await sink.open(PIPELINE, signal);
    const parts = new Map([...(found?.parts ?? [])].filter(([key]) => key !== STAGED_KEY));
    expect({ ...found, parts }).toEqual(expected);
    await sink.close();
  });

  test("another pipeline in the same target has a record of its own", async () => {
    await using target = await harness();
    const mine = await opened(target);
    const other = target.make();
    await commit(mine, record(1, { position: "mine" }));
    await mine.close();
    expect(await other.open("other", signal)).toBeNull();
    await other.close();
  });

  test("what is not committed is gone after close, and counted as pending before", async () => {
    await using target = await harness();
    const sink = await opened(target);
    await sink.beginTable(orders, 1, "create");
    await commit(sink, record(1));
    await sink.write(batch(orders, [{ op: "insert", cells: [1n, "a", null] }]));
    expect(sink.pendingBytes()).toBeGreaterThan(0);
    await sink.close();
    await sink.close();
    expect(await target.rows(orders)).toEqual([]);
    await expect(sink.write(batch(orders, [{ op: "insert", cells: [1n, "a", null] }]))).rejects.toMatchObject({
      code: "SINK_CLOSED",
    });
  });
}

export function fencing(harness: MakeHarness): void {
  test.each([
    ["an epoch that is there already", 2, 1],
    ["an epoch that leaves one out", 4, 1],
    ["a token below the last", 3, 0],
  ])("refuses %s as FENCED, and changes nothing", async (_what, epoch, token) => {
    await using target = await harness();
    let sink = await opened(target);
    await sink.beginTable(orders, 1, "create");
    await commit(sink, record(1));
    await commit(sink, record(2));
    await sink.write(batch(orders, [{ op: "insert", cells: [1n, "a", null] }]));
    await expect(commit(sink, record(epoch, {}, token))).rejects.toMatchObject({ code: "FENCED" });
    await sink.close();
    sink = target.make();
    expect(await sink.open(PIPELINE, signal)).toMatchObject({ epoch: 2, token: 1 });
    await sink.close();
    expect(await target.rows(orders)).toEqual([]);
  });

  test("a run that another took over from is FENCED, with its rows", async () => {
    await using target = await harness();
    const old = await opened(target);
    await old.beginTable(orders, 1, "create");
    await commit(old, record(1));
    await old.write(batch(orders, [{ op: "insert", cells: [1n, "old", null] }]));
    const taker = await opened(target);
    await taker.write(batch(orders, [{ op: "insert", cells: [2n, "new", null] }]));
    await commit(taker, record(2, {}, 2));
    await expect(commit(old, record(2))).rejects.toMatchObject({ code: "FENCED" });
    await old.close();
    await taker.close();
    expect(await target.rows(orders)).toEqual([["2", "new", null]]);
  });
}

export function closing(harness: MakeHarness): void {
  test("a close while a commit is under way makes it reject, and leaves the epoch before", async () => {
    await using target = await harness();
    let sink = await opened(target);
    await sink.beginTable(orders, 1, "create");
    await commit(sink, record(1));
    await sink.write(batch(orders, [{ op: "insert", cells: [1n, "a", null] }]));
    const refused = expect(commit(sink, record(2))).rejects.toMatchObject({ code: "SINK_CLOSED" });
    await sink.close();
    await refused;
    sink = target.make();
    expect(await sink.open(PIPELINE, signal)).toMatchObject({ epoch: 1 });
    await sink.close();
    expect(await target.rows(orders)).toEqual([]);
  });
}

export function closingEarly(harness: MakeHarness): void {
  test("a close while the target is being opened makes that reject, and leaves nothing open", async () => {
    await using target = await harness();
    const sink = target.make();
    const refused = expect(sink.open(PIPELINE, signal)).rejects.toMatchObject({ code: "SINK_CLOSED" });
    await sink.close();
    await refused;
    await expect(commit(sink, record(1))).rejects.toMatchObject({ code: "SINK_CLOSED" });
    const next = await opened(target);
    await next.beginTable(orders, 1, "create");
    await commit(next, record(1));
    await next.close();
    expect(await target.rows(orders)).toEqual([]);
  });

  test("a close while the record is being taken away makes that reject", async () => {
    await using target = await harness();
    const sink = await opened(target);
    await commit(sink, record(1));
    await sink.close();
    const forgetful = target.make();
    const refused = expect(forgetful.forget(PIPELINE, signal)).rejects.toMatchObject({ code: "SINK_CLOSED" });
    await forgetful.close();
    await refused;
    const next = target.make();
    expect(await next.open(PIPELINE, signal)).toMatchObject({ epoch: 1 });
    await next.close();
  });

  test("a close while rows are being taken in makes the write reject, and leaves the epoch before", async () => {
    await using target = await harness();
    let sink = await opened(target);
    await sink.beginTable(orders, 1, "create");
    await commit(sink, record(1));
    const rows = Array.from({ length: 10_000 }, (_, id): Change => ({ op: "insert", cells: [BigInt(id), "a", null] }));
    const writing = async (): Promise<void> => {
      for (;;) await sink.write(batch(orders, rows));
    };
    const refused = expect(writing()).rejects.toMatchObject({ code: "SINK_CLOSED" });
    await sink.close();
    await refused;
    sink = target.make();
    expect(await sink.open(PIPELINE, signal)).toMatchObject({ epoch: 1 });
    await sink.close();
    expect(await target.rows(orders)).toEqual([]);
  });
}

export function kills(harness: MakeHarness, deaths: readonly Kill[]): void {
  test.each(deaths)(
    "killed at %s (call %i): the epoch is wholly there or not at all, and goes on",
    async (failpoint, nth, epoch) => {
      await using target = await harness();
      await target.killedAt(failpoint, nth);
      let sink = target.make();
      const committed = await sink.open(PIPELINE, signal);
      await sink.close();
      expect(committed?.epoch ?? 0).toBe(epoch);
      const rows = (await target.rows(scripted)).map((row) => row.slice(0, 2));
      expect(rows).toEqual(SCRIPT_ROWS[epoch]!.map((row) => row.slice(0, 2)));
      sink = target.make();
      await runScript(sink, await sink.open(PIPELINE, signal));
      await sink.close();
      expect(await target.rows(scripted)).toEqual(SCRIPT_ROWS[2]);
    },
  );

  test("a failure in the middle of an epoch breaks it for good", async () => {
    await using target = await harness();
    const sink = target.make((at) => {
      if (at === "sink.changes-applied") throw new Error("injected");
    });
    await sink.open(PIPELINE, signal);
    await sink.beginTable(orders, 1, "create");
    await sink.write(batch(orders, [{ op: "insert", cells: [1n, "a", null] }]));
    await expect(commit(sink, record(1))).rejects.toThrow("injected");
    await expect(commit(sink, record(1))).rejects.toThrow("injected");
    await sink.close();
    expect(await target.rows(orders)).toEqual([]);
  });
}
