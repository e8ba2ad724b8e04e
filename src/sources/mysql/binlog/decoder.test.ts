import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  binlogDecoder,
  decodeBinlog,
  fixtureTable,
  mended,
  recordedBinlog,
  STRICT_MYSQL_RULES,
} from "../../../../test/support/binlog-fixture.ts";
import { beforeTexts, checkedAgainstEarlier } from "../../../../test/support/before-images.ts";
import { itemTexts } from "../../../../test/support/mysql-binlog.ts";
import { MillraceError } from "../../../core/errors.ts";
import { EventType } from "./event.ts";

const FLAVOURS = ["mysql", "mariadb"] as const;

/** Of a fuzz test: a second or two. */
const RUNS = 500;

const FIRST_ROW = [
  ...["insert 1", "-128", "255", "t", "-32768", "-8388608", "16777215", "4294967295", "-9223372036854775808"],
  ...["18446744073709551615", "-12.05", "12345678901234567890.0123456789", `-${"9".repeat(35)}.${"0".repeat(29)}1`],
  ...["1.5", "-0.1", "t", "\\x0aaa", "2155", "2024-02-29", "23:59:59", "12:34:56.789", "2024-02-29 01:02:03+00"],
  ...["2038-01-19 03:14:07.999999+00", "1000-01-01 00:00:00", "9999-12-31 23:59:59.99999", "é", "v".repeat(300)],
  ...["é€", "漢", "text", "\\x01000000", "\\x00ff", "\\xc3a9", "é", "a,c"],
  '{"k": [1, -2.5, "é\\n", null, true, {"big": 18446744073709551615}], "longer": 70000}',
  "\\x000000000101000000000000000000f03f0000000000000040",
].join();

function typeOf(event: Buffer): number {
  return event[4]!;
}

describe.each(FLAVOURS)("a recorded binlog (%s)", (flavour) => {
  const events = recordedBinlog(flavour);

  it("becomes the items of the line", async () => {
    const rows = itemTexts(await decodeBinlog(binlogDecoder(flavour, [fixtureTable(flavour)]), events));
    const nulls = (count: number, what = "null"): string => Array.from({ length: count }, () => what).join();
    expect(rows[0]).toBe(FIRST_ROW);
    expect(rows.slice(1, 3)).toEqual([`insert 2,${nulls(36)}`, `insert 3,${nulls(36)}`]);
    expect(rows.map((row) => row.replace(/,.*/s, ""))).toEqual(
      flavour === "mysql"
        ? [
            ...[
              "insert 1",
              "insert 2",
              "insert 3",
              "update 1",
              "update 2",
              "delete 3",
              "insert 4",
              "update 4",
              "delete 2",
            ],
            ...["update 1", "update 4", "update 1", "update 1", "truncate"],
          ]
        : [
            ...["insert 1", "insert 2", "insert 3", "update 1", "update 2", "delete 3", "insert 4"],
            // Images that lack columns, of which nothing says that they are not generated.
            ...["delete 4", "moved 4", "delete 2", "delete 1", "moved 1", "truncate"],
          ],
    );
  });

  it("has rows as they were, where they are asked for", async () => {
    const rules = { ...STRICT_MYSQL_RULES, beforeImages: true };
    const items = await decodeBinlog(binlogDecoder(flavour, [fixtureTable(flavour)], { rules }), events);
    const { checked, wrong } = checkedAgainstEarlier(items);
    expect(wrong).toEqual([]);
    // Of 37 columns: in whole images all, in a minimal one the key.
    expect(checked).toBe(flavour === "mysql" ? 8 * 37 + 1 : 5 * 37 + 1);
    expect(beforeTexts(items).filter((text) => text.startsWith("insert"))).toEqual(Array<string>(4).fill("insert -"));
  });

  it("costs nothing further for tables that are not ours", async () => {
    const items = await decodeBinlog(binlogDecoder(flavour, []), events);
    expect(items).toMatchObject([{ kind: "progress" }]);
  });

  it("ends in a MillraceError, if at all, whatever the bytes", async () => {
    const first = events.findIndex((event) => [33, 162].includes(typeOf(event)));
    const edit = fc.record({
      event: fc.integer({ min: 0, max: events.length - 1 }),
      at: fc.nat(600),
      value: fc.nat(255),
      kind: fc.constantFrom("set", "set", "set", "cut", "drop", "repeat"),
    });
    const table = fixtureTable(flavour);
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
        const mutated: Buffer[][] = events.map((event) => [Buffer.from(event)]);
        for (const { event, at, value, kind } of edits) {
          const bytes = mutated[event]![0]!;
          if (kind === "drop") mutated[event] = [Buffer.alloc(0)];
          else if (kind === "repeat") mutated[event] = [bytes, bytes];
          else if (kind === "cut") mutated[event] = [mended(bytes.subarray(0, Math.max(19, at % (bytes.length + 1))))];
          else if (bytes.length > 0) {
            bytes[at % bytes.length] = value;
            // Some errors are for the checksum to find; behind those the decoder is alone.
            if (value % 16 !== 0) mended(bytes);
          }
        }
        const stream = mutated.flat().filter((event, i) => event.length > 0 || i < first);
        try {
          await decodeBinlog(binlogDecoder(flavour, [table]), stream);
        } catch (error) {
          refused++;
          expect(error).toBeInstanceOf(MillraceError);
          expect((error as MillraceError).code).toBe("LOG_NOT_UNDERSTOOD");
        }
      }),
      { numRuns: RUNS },
    );
    expect(refused).toBeGreaterThan(RUNS / 10);
  });

  it("is refused where a bit is wrong", async () => {
    for (const [i, event] of events.entries()) {
      const wrong = Buffer.from(event);
      wrong[wrong.length - 6]! ^= 0x10;
      const stream = events.with(i, wrong);
      await expect(decodeBinlog(binlogDecoder(flavour, []), stream)).rejects.toMatchObject({
        code: "LOG_NOT_UNDERSTOOD",
        message: expect.stringContaining("wrong checksum") as string,
      });
    }
  });
});

describe("BinlogDecoder", () => {
  const events = recordedBinlog("mysql");
  const gtidAt = events.findIndex((event) => typeOf(event) === EventType.gtid);
  const description = events.slice(0, gtidAt);
  const gtid = events[gtidAt]!;

  /** An event with an empty body. */
  function event(type: number, flags = 0): Buffer {
    const bytes = Buffer.alloc(23);
    bytes[4] = type;
    bytes.writeUInt16LE(flags, 17);
    return mended(bytes);
  }

  function decode(...stream: readonly Buffer[]): Promise<unknown> {
    return decodeBinlog(binlogDecoder("mysql", []), [...description, ...stream]);
  }

  it.each<[string, Buffer[], string]>([
    ["an event of a new kind", [event(99)], "an event that is not known, at the start in event unknown (99)"],
    ["lost changes", [event(EventType.incident)], "an incident"],
    ["a transaction without a GTID", [event(EventType.anonymousGtid)], "a transaction without a GTID"],
    ["an end without a beginning", [event(EventType.xid)], "a change outside a transaction"],
    ["rows before BEGIN", [gtid, event(EventType.writeRows)], "a change before the beginning of its transaction"],
    ["a GTID within a transaction", [gtid, gtid], "a GTID within a transaction"],
    ["a PREPARE that ends no XA transaction", [gtid, event(EventType.xaPrepare)], "a field that ends too late"],
    ["an event that is cut", [gtid.subarray(0, 30)], "an event of another length than it says"],
    ["MariaDB's GTIDs", recordedBinlog("mariadb"), "a GTID of another kind of server"],
  ])("stops at %s", async (_, stream, said) => {
    await expect(decode(...stream)).rejects.toMatchObject({
      code: "LOG_NOT_UNDERSTOOD",
      message: expect.stringContaining(said) as string,
    });
  });

  it("names the transaction that it stops in", async () => {
    const id = "0{8}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:\\d+";
    await expect(decode(gtid, event(99))).rejects.toMatchObject({
      message: expect.stringMatching(new RegExp(`at (${id}) in event unknown \\(99\\)$`)) as string,
      place: { position: expect.stringMatching(new RegExp(`^(${id})$`)) as string },
    });
  });

  it("passes over what may be passed over", async () => {
    const passed = [event(99, 0x80), event(EventType.heartbeat), event(EventType.heartbeatV2), event(EventType.rotate)];
    expect(await decode(...passed)).toMatchObject([{ kind: "progress" }]);
  });

  it("takes a transaction up again that the server broke off", async () => {
    expect(await decode(gtid, ...description, ...events.slice(gtidAt))).toMatchObject([{ kind: "progress" }]);
  });

  it("passes a failed lookup on", async () => {
    const lost = new MillraceError("SOURCE_CONNECTION_LOST", "gone");
    const decoder = binlogDecoder("mysql", [fixtureTable("mysql")], { lookup: () => Promise.reject(lost) });
    await expect(decodeBinlog(decoder, events)).rejects.toBe(lost);
  });
});
