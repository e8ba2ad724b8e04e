import { expect, test } from "vitest";
import type { EpochRecord } from "../../src/core/record.ts";
import type { Sink } from "../../src/core/sink.ts";
import { batch } from "./batch.ts";
import { opened, orders, signal, type MakeHarness, type SinkHarness } from "./sink-harness.ts";
import { commit, PIPELINE, record, withStaged } from "./sink-script.ts";

/** A run that begins the table, stages an epoch with a row of that id, and comes no further. */
async function stagedOnly(target: SinkHarness, epoch: number, id: bigint, token = 1): Promise<EpochRecord> {
  const sink = await opened(target);
  if (epoch === 1) await sink.beginTable(orders, 1, "create");
  await insert(sink, id);
  return withStaged(record(epoch, {}, token), await sink.prepare());
}

async function insert(sink: Sink, id: bigint): Promise<void> {
  await sink.write(batch(orders, [{ op: "insert", cells: [id, "a", null] }]));
}

export function transactions(harness: MakeHarness): void {
  test("there is nothing to prepare, and nothing that another run could commit", async () => {
    await using target = await harness();
    const sink = await opened(target);
    await sink.beginTable(orders, 1, "create");
    await insert(sink, 1n);
    expect(await sink.prepare()).toBeNull();
    await sink.close();
    expect(await target.rows(orders)).toEqual([]);
  });
}

export function stagedEpochs(harness: MakeHarness): void {
  test("an epoch that a run before has staged is committed by the next one, and again, without another row", async () => {
    await using target = await harness();
    const found = await stagedOnly(target, 1, 1n);
    const sink = target.make();
    expect(await sink.open(PIPELINE, signal)).toBeNull();
    await sink.commit({ ...found, token: 2 });
    await sink.commit({ ...found, token: 2 });
    await insert(sink, 2n);
    await commit(sink, record(2, {}, 2));
    await sink.close();
    const again = target.make();
    expect(await again.open(PIPELINE, signal)).toMatchObject({ epoch: 2, token: 2 });
    await again.close();
    expect(await target.rows(orders)).toEqual([
      ["1", "a", null],
      ["2", "a", null],
    ]);
  });

  test("an epoch whose staged files are gone changes nothing, and the run that found that out goes on", async () => {
    await using target = await harness();
    const found = await stagedOnly(target, 1, 1n);
    await target.staged!.lose();
    const sink = await opened(target);
    await expect(sink.commit({ ...found, token: 2 })).rejects.toMatchObject({ code: "SINK_STAGED_LOST" });
    await sink.beginTable(orders, 1, "create");
    await insert(sink, 2n);
    await commit(sink, record(1, {}, 2));
    await sink.close();
    expect(await target.rows(orders)).toEqual([["2", "a", null]]);
  });

  test("of two runs that have staged the same epoch one commits it, and the other is FENCED", async () => {
    await using target = await harness();
    const first = await stagedOnly(target, 1, 1n);
    const second = await stagedOnly(target, 1, 2n);
    const sink = await opened(target);
    await sink.commit(second);
    await expect(sink.commit(first)).rejects.toMatchObject({ code: "FENCED" });
    await sink.close();
    expect(await target.rows(orders)).toEqual([["2", "a", null]]);
  });

  test("what is prepared is seen by nobody before it is committed", async () => {
    await using target = await harness();
    await stagedOnly(target, 1, 1n);
    expect(await target.rows(orders)).toEqual([]);
    const sink = target.make();
    expect(await sink.open(PIPELINE, signal)).toBeNull();
    await sink.close();
  });
}
