import { expect, test } from "vitest";
import { FilePosition, FileTransaction } from "./file-position.ts";
import { LogCut, parseLogPosition, restartedAt } from "../position.ts";

const at = (file: string, offset: number, server: string = "a"): FilePosition =>
  FilePosition.at(server, file, offset, 7);

test("a place has what begins before it, in files by their number", () => {
  const place = at("binlog.1000000", 500);
  const has = (file: string, offset: number): boolean => place.has(new FileTransaction(file, offset, 0));
  expect([has("binlog.1000000", 499), has("binlog.1000000", 500)]).toEqual([true, false]);
  expect([has("binlog.999999", 9e9), has("binlog.1000001", 4)]).toEqual([true, false]);
  // A log that was given another name is another one.
  expect(has("mysql-bin.000001", 4)).toBe(false);
});

test("places of one server are in one order, and those of two in none", () => {
  const [early, late] = [at("binlog.000009", 900), at("binlog.000010", 4)];
  expect([late.covers(early), early.covers(late), late.covers(late)]).toEqual([true, false, true]);
  expect(late.meet(early)).toBe(early);
  expect(early.meet(late)).toBe(early);
  const other = at("binlog.000009", 4, "b");
  expect([early.covers(other), other.covers(early)]).toEqual([false, false]);
  expect(() => early.meet(other)).toThrow(expect.objectContaining({ code: "INTERNAL" }));
});

test("a place is kept with all that a restart needs, whatever the file is called", () => {
  const place = new FilePosition("3e11fa47-71ca-11e1-9e33-c80aa9429562", {
    file: "my logs/bin.000012",
    offset: 5_000_000_000,
    ask: 1234,
    begun: 1_700_000_000,
  });
  expect(parseLogPosition(place.serialize())).toEqual(place);
  const cut = new LogCut(null, place);
  expect(LogCut.parse(cut.serialize())).toEqual(cut);
  expect(cut.surelyIncludes(new FileTransaction("my logs/bin.000001", 4, 0))).toBe(false);
});

test("a place keeps where a reading begins that has an earlier one to look for", () => {
  const [done, restart] = [at("my logs 1.000012", 900), at("my logs 1.000009", 400)];
  const position = restartedAt(done, restart) as FilePosition;
  expect([position.toString(), position.restart.toString()]).toEqual(["my logs 1.000012:900", "my logs 1.000009:400"]);
  expect(parseLogPosition(position.serialize())).toEqual(position);
  expect([position.isPlain, position.covers(done), done.covers(position)]).toEqual([false, true, true]);
  expect(position.has(new FileTransaction("my logs 1.000010", 4, 0))).toBe(true);
  const less = position.meet(at("my logs 1.000011", 4)) as FilePosition;
  expect([less.toString(), less.restart.toString()]).toEqual(["my logs 1.000011:4", "my logs 1.000009:400"]);
  expect(position.meet(at("my logs 1.000009", 4)).serialize()).toBe(at("my logs 1.000009", 4).serialize());
  expect(restartedAt(done, at("my logs 1.000012", 901))).toBe(done);
});

test("what cannot be asked for is read from the beginning of its file", () => {
  expect([at("binlog.000001", 4_294_967_295).ask, at("binlog.000001", 4_294_967_296).ask]).toEqual([4_294_967_295, 4]);
});
