import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { beforeTexts } from "../../../test/support/before-images.ts";
import { decodeLog, logDecoder, STRICT_RULES } from "../../../test/support/postgres-decoding.ts";
import {
  beginMessage,
  changeMessage,
  commitMessage,
  relationMessage,
  tableOf,
  truncateMessage,
  tuple,
  UNCHANGED,
} from "../../../test/support/postgres-wire.ts";
import { MillraceError } from "../../core/errors.ts";

const OID = 16_400;
const TABLE = tableOf(
  { kind: "int", bits: 64 },
  { kind: "text" },
  { kind: "decimal", precision: 10, scale: 2 },
  { kind: "timestamp", zone: true },
  { kind: "float", bits: 64 },
);
const RELATION = relationMessage(OID, "t", ["c0", "c1", "c2", "c3", "c4"]);
const ROW = tuple("N", ["12345678901234567", "text", "12.50", "2024-01-01 00:00:00.5+00", "1.5e-07"]);
const TOASTED = tuple("N", ["-1", UNCHANGED, null, "infinity", "NaN"]);
const KEY = tuple("K", ["7", null, null, null, null]);
const BEGIN = beginMessage(0x1000n, 700);
const COMMIT = commitMessage(0x1000n);

const VALID = [
  BEGIN,
  RELATION,
  changeMessage("I", OID, ROW),
  changeMessage("U", OID, TOASTED),
  changeMessage("U", OID, KEY, TOASTED),
  changeMessage("D", OID, KEY),
  truncateMessage(OID),
  COMMIT,
];

describe("LogDecoder", () => {
  it("understands what a server sends", async () => {
    const items = await decodeLog(logDecoder([TABLE]), VALID);
    expect(items.map((item) => item.kind)).toEqual(["rows", "truncate", "progress"]);
  });

  it("has rows as they were where they are asked for, as far as they were sent", async () => {
    const old = tuple("O", ["7", "old", null, UNCHANGED, "2"]);
    const full = relationMessage(OID, "t", ["c0", "c1", "c2", "c3", "c4"], "f");
    const changed = tuple("N", ["7", UNCHANGED, "1.00", null, "3"]);
    const messages = [BEGIN, full, changeMessage("I", OID, ROW), changeMessage("U", OID, old, changed), COMMIT];
    const rules = { ...STRICT_RULES, beforeImages: true };
    const items = await decodeLog(logDecoder([TABLE], { rules }), messages);
    expect(beforeTexts(items)).toEqual(["insert -", "update 7,old,null,absent,2"]);
    expect(beforeTexts(await decodeLog(logDecoder([TABLE]), messages))).toEqual(["insert", "update"]);
    const keys = [
      changeMessage("U", OID, TOASTED),
      changeMessage("U", OID, KEY, TOASTED),
      changeMessage("D", OID, KEY),
    ];
    expect(beforeTexts(await decodeLog(logDecoder([TABLE], { rules }), [BEGIN, RELATION, ...keys, COMMIT]))).toEqual([
      ...["update -", "delete 7,absent,absent,absent,absent", "moved -", "delete 7,absent,absent,absent,absent"],
    ]);
  });

  it("stops its table where a row as it was cannot be", async () => {
    const old = tuple("O", ["7", "old", "NaN", null, "2"]);
    const full = relationMessage(OID, "t", ["c0", "c1", "c2", "c3", "c4"], "f");
    const messages = [BEGIN, full, changeMessage("I", OID, ROW), changeMessage("D", OID, old), COMMIT];
    const rules = { ...STRICT_RULES, beforeImages: true };
    const items = await decodeLog(logDecoder([TABLE], { rules }), messages);
    expect(items.map((item) => (item.kind === "rows" ? item.batch.length : item.kind))).toEqual([
      ...[1, "stop", "progress"],
    ]);
    expect(items[1]).toMatchObject({ error: { code: "VALUE_UNREPRESENTABLE" } });
    const nulling = { ...rules, unrepresentable: "null" } as const;
    expect(beforeTexts(await decodeLog(logDecoder([TABLE], { rules: nulling }), messages))).toEqual([
      ...["insert -", "delete 7,old,null,null,2"],
    ]);
  });

  it("ends in a MillraceError, if at all, whatever the bytes", async () => {
    const edit = fc.record({
      message: fc.nat(VALID.length - 1),
      at: fc.nat(200),
      value: fc.nat(255),
      cut: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), fc.boolean(), async (edits, beforeImages) => {
        const messages = VALID.map((message) => Buffer.from(message));
        for (const { message, at, value, cut } of edits) {
          const bytes = messages[message]!;
          if (cut) messages[message] = bytes.subarray(0, at % (bytes.length + 1));
          else bytes[at % bytes.length] = value;
        }
        try {
          await decodeLog(logDecoder([TABLE], { rules: { ...STRICT_RULES, beforeImages } }), messages);
        } catch (error) {
          expect(error).toBeInstanceOf(MillraceError);
          expect((error as MillraceError).code).toBe("LOG_NOT_UNDERSTOOD");
        }
      }),
      { numRuns: 3000 },
    );
  });

  it.each<[string, Buffer[], string]>([
    ["a streamed transaction", [Buffer.from("S\0\0\0\0\0")], "the log has a message of type 0x53 at 0/0"],
    ["a binary value", [BEGIN, RELATION, changeMessage("I", OID, Buffer.from("N\0\x01b\0\0\0\x01x"))], "at 0/1000"],
    ["a change without a relation", [BEGIN, changeMessage("I", OID, ROW)], "that it has not described at 0/1000"],
    ["a change outside a transaction", [RELATION, changeMessage("I", OID, ROW)], "outside a transaction"],
    ["a transaction within a transaction", [BEGIN, BEGIN], "a Begin out of place"],
    ["a commit of nothing", [COMMIT], "a Commit out of place"],
    ["fewer cells than columns", [BEGIN, RELATION, changeMessage("I", OID, tuple("N", ["1"]))], "a row of public.t"],
    ["an update without a new row", [BEGIN, RELATION, changeMessage("U", OID, KEY)], "a form that is not known"],
    ["an empty message", [Buffer.alloc(0)], "an empty message"],
  ])("stops at %s", async (_, messages, said) => {
    await expect(decodeLog(logDecoder([TABLE]), messages)).rejects.toMatchObject({
      code: "LOG_NOT_UNDERSTOOD",
      message: expect.stringContaining(said) as string,
    });
  });

  it("passes over what says nothing about rows", async () => {
    const others = [
      Buffer.from("O\0\0\0\0\0\0\0\0x\0"),
      Buffer.from("Y\0\0\x40\x01public\0mood\0"),
      Buffer.from("M\0…"),
    ];
    const items = await decodeLog(logDecoder([TABLE]), [BEGIN, ...others, COMMIT]);
    expect(items).toMatchObject([{ kind: "progress" }]);
  });

  it("stops a table whose old rows do not come with its key", async () => {
    const keyed = { ...TABLE, key: [1] };
    const items = await decodeLog(logDecoder([keyed]), [BEGIN, RELATION, changeMessage("I", OID, ROW), COMMIT]);
    expect(items).toMatchObject([{ kind: "stop", error: { code: "TABLE_NO_IDENTITY" } }, { kind: "progress" }]);
  });

  it("passes a failed lookup on", async () => {
    const lost = new MillraceError("SOURCE_CONNECTION_LOST", "gone");
    const decoder = logDecoder([TABLE], { lookup: () => Promise.reject(lost) });
    await expect(decodeLog(decoder, VALID)).rejects.toBe(lost);
  });
});
