import { describe, expect, test } from "vitest";
import type { StoredEpochs } from "../core/checkpoint-store.ts";
import type { CommittedRecord } from "../core/record.ts";
import { recover, type Recovery } from "./recovery.ts";

const at = (epoch: number, token = 1, position = `p${epoch}`): CommittedRecord => ({
  epoch,
  token,
  parts: new Map(epoch === 0 ? [] : [["position", position]]),
});
const stored = (newest: CommittedRecord, confirmed: CommittedRecord | null): StoredEpochs => ({ newest, confirmed });

function told(recovery: Recovery): string {
  if (recovery.kind === "refuse") return recovery.error.code;
  const { kind, store, from } = recovery;
  return `${kind} ${from.epoch}:${JSON.stringify(from.parts.get("position") ?? "-")} token ${from.token} ${store}`;
}

describe("where a run goes on", () => {
  test.each<[string, CommittedRecord | null, StoredEpochs | null, string]>([
    ["nothing anywhere", null, null, 'fresh 0:"-" token 1 in-step'],
    ["both at one epoch", at(5), stored(at(5), at(4)), 'resume 5:"p5" token 2 in-step'],
    ["confirmed by both", at(5), stored(at(5), at(5)), 'resume 5:"p5" token 2 in-step'],
    ["stored, not committed", at(4), stored(at(5), at(4)), 'resume 4:"p4" token 2 go-back'],
    ["the first epoch stored, not committed", null, stored(at(1), null), 'fresh 0:"-" token 2 go-back'],
    ["begun anew, nothing since", null, stored(at(0, 3), at(0, 3)), 'fresh 0:"-" token 4 in-step'],
    ["the store lost its newest", at(5), stored(at(4), at(4)), 'resume 5:"p5" token 2 bring-forward'],
    ["the store lost much", at(50), stored(at(4), at(3)), 'resume 50:"p50" token 2 bring-forward'],
    [
      "the store has another run's record",
      at(5, 3, "q"),
      stored(at(5, 4), at(4)),
      'resume 5:"q" token 5 bring-forward',
    ],
    ["a token above the sink's", at(4, 2), stored(at(5, 9), at(4, 2)), 'resume 4:"p4" token 10 go-back'],
    ["a token above the store's", at(5, 9), stored(at(4, 2), at(4, 2)), 'resume 5:"p5" token 10 bring-forward'],
    ["the store is empty", at(5), null, "RECOVERY_STORE_EMPTY"],
    ["the sink is empty", null, stored(at(5), at(4)), "RECOVERY_SINK_EMPTY"],
    ["the sink is empty after one confirmed epoch", null, stored(at(1), at(1)), "RECOVERY_SINK_EMPTY"],
    ["the sink has lost an epoch", at(3), stored(at(5), at(4)), "RECOVERY_SINK_BEHIND"],
    ["the sink has lost a confirmed epoch", at(4), stored(at(5), at(5)), "RECOVERY_SINK_BEHIND"],
  ])("%s", (_, sink, store, expected) => {
    expect(told(recover({ sink, store, sinkRemembers: true, operator: "none" }))).toBe(expected);
  });

  test.each<[string, CommittedRecord | null, StoredEpochs | null, string]>([
    ["over an empty store", at(5), null, 'resume 5:"p5" token 2 bring-forward'],
    ["over a newer store", at(3), stored(at(5, 4), at(4)), 'resume 3:"p3" token 5 go-back'],
    ["but not over an empty sink", null, stored(at(5), at(4)), "RECOVERY_SINK_EMPTY"],
  ])("the operator says that the sink is right %s", (_, sink, store, expected) => {
    expect(told(recover({ sink, store, sinkRemembers: true, operator: "sink" }))).toBe(expected);
  });

  describe("a staged epoch", () => {
    const staged = (epoch: number, token = 1): CommittedRecord => {
      const { parts, ...record } = at(epoch, token);
      return { ...record, parts: new Map(parts).set("staged", ["a file"]) };
    };
    const again = (sink: CommittedRecord | null, store: StoredEpochs, operator: "none" | "sink" = "none"): unknown => {
      const recovery = recover({ sink, store, sinkRemembers: true, operator });
      return recovery.kind === "refuse" ? recovery.error.code : recovery.staged;
    };

    test("that was stored and not committed is committed again, under the new token", () => {
      expect(again(staged(4), stored(staged(5, 3), staged(4)))).toEqual(staged(5, 4));
      expect(again(null, stored(staged(1), null))).toEqual(staged(1, 2));
    });

    test("is not, where it followed another epoch of that number than the one that is in the sink", () => {
      const other = { ...staged(4), parts: new Map([["position", "elsewhere"]]) };
      expect(again(other, stored(staged(5), staged(4)))).toBeNull();
      expect(again(staged(4), stored(staged(5), null))).toBeNull();
    });

    test("is not, where it is in the sink, or was never staged, or the operator says that the sink is right", () => {
      expect(again(staged(5), stored(staged(5), staged(4)))).toBeNull();
      expect(again(at(4), stored(at(5), at(4)))).toBeNull();
      expect(again(staged(4), stored(staged(5), staged(4)), "sink")).toBeNull();
    });
  });

  test("a sink without a memory leaves the truth to the store", () => {
    const facts = { sink: null, sinkRemembers: false, operator: "none" } as const;
    expect(told(recover({ ...facts, store: null }))).toBe('fresh 0:"-" token 1 in-step');
    expect(told(recover({ ...facts, store: stored(at(5), at(4)) }))).toBe('resume 5:"p5" token 2 in-step');
  });

  test("a refusal says what stands where", () => {
    const recovery = recover({ sink: at(3), store: stored(at(5), at(4)), sinkRemembers: true, operator: "none" });
    expect(recovery.kind === "refuse" && recovery.error.message).toBe(
      "the sink is at epoch 3 although it had committed epoch 4",
    );
  });
});
