import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { StoredEpochs } from "../core/checkpoint-store.ts";
import { writeFile } from "node:fs/promises";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { encodeState, readStateFile } from "./state-file.ts";

const STORED: StoredEpochs = {
  confirmed: { epoch: 6, token: 2, parts: new Map([["position", "0/6"]]) },
  newest: {
    epoch: 7,
    token: 2,
    parts: new Map<string, string | number>([
      ["position", "0/7"],
      ["b", 1],
      ["a", 2],
    ]),
  },
};

async function reread(text: string, pipeline: string = "shop"): Promise<StoredEpochs> {
  await using folder = tempFolder();
  await writeFile(folder.file("state.json"), text);
  return await readStateFile(folder.file("state.json"), pipeline);
}

describe("a file with a pipeline's state", () => {
  test("holds it as it was", async () => {
    expect(await reread(encodeState("shop", STORED))).toEqual(STORED);
    const first = { confirmed: null, newest: STORED.newest };
    expect(await reread(encodeState("shop", first))).toEqual(first);
  });

  test("that was changed or cut off anywhere is refused, or says the same", async () => {
    const text = encodeState("shop", STORED);
    await fc.assert(
      fc.asyncProperty(fc.nat(text.length - 1), fc.string({ maxLength: 2 }), async (at, put) => {
        const changed = text.slice(0, at) + put + text.slice(at + 1);
        const read = await reread(changed).catch((error: unknown) => error);
        // White space between two values is nothing.
        if (read instanceof Error) expect(read).toMatchObject({ code: "STATE_FILE_INVALID" });
        else expect(read).toEqual(STORED);
      }),
    );
    await expect(reread(text.slice(0, -20))).rejects.toMatchObject({ code: "STATE_FILE_INVALID" });
  });

  test("of another pipeline, of a newer version or of something else says so", async () => {
    const text = encodeState("shop", STORED);
    const refusal = (says: string): object => ({
      code: "STATE_FILE_INVALID",
      exitCode: 2,
      message: expect.stringContaining(says),
    });
    await expect(reread(text, "stock")).rejects.toMatchObject(refusal("it is of the pipeline shop"));
    await expect(reread(text.replace('"version": 1', '"version": 2'))).rejects.toMatchObject(refusal("version 2"));
    await expect(reread("{}")).rejects.toMatchObject(refusal("not one that"));
    await expect(reread("no JSON")).rejects.toMatchObject(refusal("not one that"));
    await expect(readStateFile("/no/such/file", "shop")).rejects.toMatchObject({ code: "USAGE" });
  });
});
