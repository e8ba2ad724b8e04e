import { describe, expect, test } from "vitest";
import { encodedGtids, fileDump, mysqlDump } from "./dump-command.ts";
import { GtidSet } from "../position/gtid-set.ts";

const UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const UUID_HEX = UUID.replaceAll("-", "");

function uint64(value: number): string {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes.toString("hex");
}

describe("a set of GTIDs on the wire", () => {
  test("has its sources with their intervals, whose ends are excluded", () => {
    const set = GtidSet.parse(`${UUID}:1-5:7`);
    const intervals = [1, 6, 7, 8].map(uint64).join("");
    expect(encodedGtids(set).toString("hex")).toBe(uint64(1) + UUID_HEX + uint64(2) + intervals);
  });

  test("is eight zeros where it is empty", () => {
    expect(encodedGtids(GtidSet.empty).toString("hex")).toBe(uint64(0));
  });

  test("has tags behind each source where one has a tag", () => {
    const set = GtidSet.parse(`${UUID}:1,${UUID}:blue:3`);
    const head = "0102000000000001";
    const plain = `${UUID_HEX}00${uint64(1)}${uint64(1)}${uint64(2)}`;
    const tagged = `${UUID_HEX}08${Buffer.from("blue").toString("hex")}${uint64(1)}${uint64(3)}${uint64(4)}`;
    expect(encodedGtids(set).toString("hex")).toBe(head + plain + tagged);
  });
});

test("a dump says who asks, and from where", () => {
  const command = Buffer.from(mysqlDump(4242, GtidSet.parse(`${UUID}:1`)));
  expect([command[0], command.readUInt32LE(3), command.readUInt32LE(19)]).toEqual([0x1e, 4242, command.length - 23]);
  const byFile = Buffer.from(fileDump(4242, "binlog.000012", 0xffff_ffff, 1));
  expect([byFile[0], byFile.readUInt32LE(1), byFile.readUInt16LE(5)]).toEqual([0x12, 0xffff_ffff, 1]);
  expect([byFile.readUInt32LE(7), byFile.subarray(11).toString()]).toEqual([4242, "binlog.000012"]);
});
