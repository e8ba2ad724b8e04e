import { MillraceError } from "../../src/core/errors.ts";
import { writeDecimal } from "../../src/sources/mysql/binlog/decimal.ts";
import { EventType, HEADER_BYTES } from "../../src/sources/mysql/binlog/event.ts";
import { BinlogFields } from "../../src/sources/mysql/binlog/fields.ts";
import { GTID_READERS } from "../../src/sources/mysql/binlog/gtid.ts";
import { binaryJsonText } from "../../src/sources/mysql/binlog/json.ts";
import { ddlRules } from "../../src/sources/mysql/ddl/rules.ts";
import { parseStatement } from "../../src/sources/mysql/ddl/statement.ts";
import { GtidSet } from "../../src/sources/mysql/position/gtid-set.ts";
import { NOWHERE } from "../../src/sources/mysql/position/logged-at.ts";
import { GtidPosition } from "../../src/sources/mysql/position/mariadb-gtid.ts";
import { parseLogPosition } from "../../src/sources/mysql/position.ts";
import { patchedJson } from "../../src/sources/mysql/binlog/json-diff.ts";
import { readTableMap } from "../../src/sources/mysql/binlog/table-map.ts";
import { TransactionPayload } from "../../src/sources/mysql/binlog/transaction-payload.ts";
import { parseXaStatement, readXid } from "../../src/sources/mysql/binlog/xa-events.ts";
import { recordedBinlog } from "../support/binlog-fixture.ts";
import type { Random } from "../support/random.ts";
import { mutated } from "./mutation.ts";
import { type FuzzTarget, saysWhere } from "./target.ts";

const broken = (what: string): MillraceError => new MillraceError("LOG_NOT_UNDERSTOOD", what);
const TABLE_ID_AND_FLAGS = 8;
const CHECKSUM_BYTES = 4;
const ALL = [...recordedBinlog("mysql"), ...recordedBinlog("mariadb")].map((event) =>
  event.subarray(0, -CHECKSUM_BYTES),
);

function recorded(...types: readonly number[]): readonly Buffer[] {
  return ALL.filter((event) => types.includes(event[4]!));
}

function wrong(what: string): Error {
  return new Error(`an answer that cannot be right: ${what}`);
}

/** Small and large, of every kind of value (`sql-common/json_binary.h`). */
const DOCUMENTS = [
  "00 0200 2500 1200 0100 1300 0100 0c 1400 04 0100 61 62 03 616263",
  "02 0300 1200 05 0a00 04 0000 0b 0d00 00000000 0000f03f",
  "0c 05 68656c6c6f",
  "0f f6 05 0501 8000 05",
  "00 0100 1900 0b00 0100 02 0c00 61 0200 0d00 05 0100 05 0200",
  "05 ff7f",
  "0b 9a9999999999b93f",
].map((hex) => Buffer.from(hex.replaceAll(" ", ""), "hex"));

const STATEMENTS = [
  "ALTER TABLE `a``b`.t ADD COLUMN n int DEFAULT 'x\\'y' AFTER id, RENAME TO u, ALGORITHM=INSTANT",
  "CREATE OR REPLACE TABLE IF NOT EXISTS t (id int /*!80000 INVISIBLE */, PRIMARY KEY (id)) -- end",
  "DROP TABLE IF EXISTS `t`, \"d\".'u' CASCADE WAIT 5",
  "RENAME TABLE a.b TO c.d, e TO f",
  "ALTER TABLE t EXCHANGE PARTITION p WITH TABLE u, DROP PARTITION p0 /*M!100100 x */",
  "SET STATEMENT max_statement_time=1 FOR TRUNCATE TABLE t",
  "ROLLBACK WORK TO SAVEPOINT `s`",
  "XA COMMIT X'00ff',X'',1",
  "# only a comment\nINSERT INTO t VALUES (1)",
];
const GTIDS = [
  "7781c81d-eb2b-11f1-aacd-02fc00000001:1-23:25,7781c81d-eb2b-11f1-aacd-02fc00000002:tag:7:9-11",
  "0-1-100,5-2-18446744073709551615",
  "mysql 7781c81d-eb2b-11f1-aacd-02fc00000001:1-23 7781c81d-eb2b-11f1-aacd-02fc00000001:1-20",
  "mariadb 0-1-100,1-1-5 0-1-90",
];

function mutatedText(texts: readonly string[], random: Random): string {
  return mutated(Buffer.from(random.pick(texts)), random).toString("utf8");
}

function json(random: Random): void {
  const bytes = mutated(random.pick(DOCUMENTS), random);
  const text = binaryJsonText(bytes, 0, bytes.length);
  if (text !== null && text.length > 16 * bytes.length + 200) throw wrong("much text of few bytes");
}

/** Of each operation one, in the first document. */
const DIFFERENCES = [
  Buffer.from([0, 3, ...Buffer.from("$.a"), 3, 0x05, 0x07, 0x00]),
  Buffer.from([1, 5, ...Buffer.from('$."c"'), 3, 0x0c, 0x01, 0x78]),
  Buffer.from([2, 3, ...Buffer.from("$.b")]),
  Buffer.from([1, 4, ...Buffer.from("$[1]"), 2, 0x04, 0x01]),
  Buffer.from([0, 1, ...Buffer.from("$"), 2, 0x04, 0x00]),
];

function jsonDifference(random: Random): void {
  const before = random.chance(0.5) ? random.pick(DOCUMENTS) : mutated(random.pick(DOCUMENTS), random);
  const differences = Buffer.concat(Array.from({ length: 1 + random.below(4) }, () => random.pick(DIFFERENCES)));
  const bytes = Buffer.concat([before, random.chance(0.3) ? differences : mutated(differences, random)]);
  const after = patchedJson(bytes, 0, before.length, before.length, bytes.length);
  if (after === null) return;
  // Large containers take more than small ones; what came of it is a document as well, where the first one is.
  if (after.length > 16 * bytes.length + 200) throw wrong("a large document of a small one");
  if (binaryJsonText(before, 0, before.length) !== null && binaryJsonText(after, 0, after.length) === null)
    if (differences.equals(bytes.subarray(before.length))) throw wrong("no document");
}

const decimalText = Buffer.alloc(80);

function decimal(random: Random): void {
  const precision = 1 + random.below(65);
  const scale = random.below(Math.min(precision, 30) + 1);
  const bytes = Buffer.from(Array.from({ length: 40 }, () => random.below(256)));
  const length = writeDecimal(decimalText, 0, precision, scale, bytes, 0);
  const text = decimalText.toString("latin1", 0, Math.max(length, 0));
  if (length > precision + 3 || (length >= 0 && !/^-?\d+(\.\d+)?$/.test(text))) throw wrong(`decimal ${text}`);
}

/** Reads a text, and says what was read as the server says it. */
const SAID: readonly ((text: string) => string)[] = [
  (text) => GtidSet.parse(text).toString(),
  (text) => GtidPosition.parse(text).toString(),
  (text) => JSON.stringify(parseLogPosition(text).serialize()).slice(1, -1),
];

function gtids(random: Random): void {
  const text = mutatedText(GTIDS, random);
  for (const say of SAID) {
    try {
      const said = say(text);
      if (say(said) !== said) throw wrong(said);
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
    }
  }
}

const GTID_EVENTS = recorded(EventType.gtid, EventType.taggedGtid, EventType.mariadbGtid);

function gtidEvent(random: Random): void {
  const event = mutated(random.pick(GTID_EVENTS), random);
  const read = GTID_READERS.get(event[4] ?? 0);
  if (read === undefined || event.length < HEADER_BYTES) return;
  const { transaction } = read(event, 0, event.length, NOWHERE, broken);
  if (!/^\S+( X'[0-9a-f]*',X'[0-9a-f]*',\d+)?$/.test(transaction.id)) throw wrong(transaction.id);
}

const TABLE_MAPS = recorded(EventType.tableMap);

function tableMap(random: Random): void {
  const body = mutated(random.pick(TABLE_MAPS).subarray(HEADER_BYTES + TABLE_ID_AND_FLAGS), random);
  const map = readTableMap(body, 0, body.length, random.pick(["mysql", "mariadb"]), broken);
  if (map.columns.length > 4096) throw wrong("columns");
}

const PAYLOADS = recorded(EventType.transactionPayload);

function payload(random: Random): void {
  const event = mutated(random.pick(PAYLOADS), random);
  const cut = random.chance(0.5) ? event.length : random.below(event.length);
  const events = new TransactionPayload(event, 0, cut, broken, [event.subarray(cut)]);
  let bytes = 0;
  while (events.next()) {
    bytes += events.end - events.start;
    // The size that it says is the bound; a mutated one may be large.
    if (bytes > 1 << 20) return;
  }
}

const MODES = { realAsFloat: false, strict: true, otherDialect: false };

function statement(random: Random): void {
  const text = mutatedText(STATEMENTS, random);
  const modes = { ...MODES, ansiQuotes: random.chance(0.5), backslashIsPlain: random.chance(0.5) };
  parseStatement(text, ddlRules(random.pick(["mysql", "mariadb"]), 90_704, modes));
  parseXaStatement(text);
}

function xid(random: Random): void {
  const bytes = mutated(Buffer.from("0100000002000000010000006162", "hex"), random);
  const lengthBytes = random.pick([1, 4] as const);
  const text = readXid(new BinlogFields(bytes, 0, bytes.length, broken), lengthBytes, broken);
  if (parseXaStatement(`XA COMMIT ${text}`)?.xid !== text) throw wrong(text);
}

function target(name: string, weight: number, run: FuzzTarget["run"]): FuzzTarget {
  return { name, weight, run, mayThrow: saysWhere };
}

export const PART_TARGETS: readonly FuzzTarget[] = [
  target("json", 15, json),
  target("json-difference", 10, jsonDifference),
  target("decimal", 10, decimal),
  target("gtids", 5, gtids),
  target("gtid-event", 10, gtidEvent),
  target("table-map", 15, tableMap),
  target("payload", 5, payload),
  target("statement", 10, statement),
  target("xid", 5, xid),
];
