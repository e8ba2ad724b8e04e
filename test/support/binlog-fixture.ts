import { readFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { LogItem } from "../../src/core/line.ts";
import { tableId, type TableSchema } from "../../src/core/table-schema.ts";
import { BinlogDecoder, type BinlogDecoderOptions } from "../../src/sources/mysql/binlog/decoder.ts";
import { Charsets } from "../../src/sources/mysql/charset/charset.ts";
import { CodeTable } from "../../src/sources/mysql/charset/code-table.ts";
import { GtidSet } from "../../src/sources/mysql/position/gtid-set.ts";
import { GtidPosition } from "../../src/sources/mysql/position/mariadb-gtid.ts";
import { columnType, type MysqlTypeRules, parseMysqlType } from "../../src/sources/mysql/mysql-type.ts";
import { type Flavour, type LogPosition, MariadbPosition, MysqlPosition } from "../../src/sources/mysql/position.ts";
import { projectRoot } from "./project-root.ts";

/** Everything a sink could hold, and failure where it cannot. */
export const STRICT_MYSQL_RULES: MysqlTypeRules = {
  unrepresentable: "error",
  nonFinite: { decimalNaN: false, dateInfinity: true, timestampInfinity: true },
  beforeImages: false,
  tinyint1AsBoolean: true,
};

const FILES = { mysql: "mysql-9.7.binlog", mariadb: "mariadb-11.8.binlog" };
const MAGIC_BYTES = 4;
/** For tests that ask no server for the codes of a character set. */
const ASCII = new CodeTable(CodeTable.noPoints(256).map((_, byte) => (byte < 0x80 ? byte : -1)));

/** The events of binlog files, in order, as views. */
export function binlogEvents(...files: readonly Buffer[]): Buffer[] {
  return files.flatMap((file) => {
    const events: Buffer[] = [];
    for (let at = MAGIC_BYTES, length = 0; at < file.length; at += length) {
      length = file.readUInt32LE(at + 9);
      events.push(file.subarray(at, at + length));
    }
    return events;
  });
}

/** The events of a binlog under test/fixtures. */
export function recordedBinlog(flavour: Flavour): Buffer[] {
  return binlogEvents(readFileSync(join(projectRoot, "test", "fixtures", "binlog", FILES[flavour])));
}

const UTF8 = "utf8mb4_general_ci";

/** The table of `test/fixtures/binlog/statements.sql`. */
export function fixtureTable(flavour: Flavour): TableSchema {
  const json = flavour === "mysql" ? ["json", null] : ["longtext", "utf8mb4_bin"];
  const columns = Object.entries<(string | null)[] | string>({
    ...{ id: "int", i1: "tinyint", u1: "tinyint unsigned", b1: "tinyint(1)", i2: "smallint", i3: "mediumint" },
    ...{ u3: "mediumint unsigned", u4: "int unsigned", i8: "bigint", u8: "bigint unsigned", d1: "decimal(12,2)" },
    ...{ d2: "decimal(38,10)", d3: "decimal(65,30)", f4: "float", f8: "double", t1: "bit(1)", t12: "bit(12)" },
    ...{ y: "year", dt: "date", tm: "time", tm3: "time(3)", ts: "timestamp", ts6: "timestamp(6)", dtm: "datetime" },
    ...{
      dtm5: "datetime(5)",
      c: ["char(10)", UTF8],
      v: ["varchar(300)", UTF8],
      l: ["varchar(20)", "latin1_swedish_ci"],
    },
    ...{ u: ["varchar(20)", "ucs2_general_ci"], x: ["text", UTF8], bn: "binary(4)", vb: "varbinary(10)", bl: "blob" },
    ...{ e: ["enum('a','b','é')", UTF8], s: ["set('a','b','c')", UTF8], j: json, g: "geometry" },
  });
  return {
    id: tableId("fixture", "t"),
    namespace: "fixture",
    name: "t",
    version: 1,
    columns: columns.map(([name, said]) => {
      const [sourceType, collation = null] = typeof said === "string" ? [said] : [said[0]!, said[1]!];
      const type = columnType(parseMysqlType(sourceType, collation)!, STRICT_MYSQL_RULES);
      return { name, type, nullable: true, sourceType, collation, existingRowsDefault: null };
    }),
    key: [0],
  };
}

/** Gives an event the length and the checksum that its bytes have. */
export function mended(event: Buffer): Buffer {
  if (event.length < 23) return event;
  event.writeUInt32LE(event.length, 9);
  event.writeUInt32LE(crc32(event.subarray(0, -4)), event.length - 4);
  return event;
}

function startOf(flavour: Flavour): LogPosition {
  return flavour === "mysql" ? new MysqlPosition(GtidSet.empty) : new MariadbPosition(GtidPosition.empty);
}

export function binlogDecoder(
  flavour: Flavour,
  tables: readonly TableSchema[],
  options: Partial<BinlogDecoderOptions> = {},
): BinlogDecoder {
  return new BinlogDecoder({
    flavour,
    tables,
    from: startOf(flavour),
    batchBytesMax: 1 << 20,
    flushRows: Number.MAX_SAFE_INTEGER,
    xaBytesMax: 1 << 20,
    rules: STRICT_MYSQL_RULES,
    followCopies: true,
    lookup: () => Promise.resolve({ kind: "same" }),
    charsets: new Charsets(async () => ASCII),
    ...options,
  });
}

/** Decodes events, ending with a flush. */
export async function decodeBinlog(decoder: BinlogDecoder, events: readonly Buffer[]): Promise<LogItem[]> {
  const items: LogItem[] = [];
  for (const event of events) {
    await decoder.decode(event, 0, event.length);
    while (decoder.hasMore) {
      items.push(...decoder.take());
      await decoder.decodeMore();
    }
  }
  decoder.flush();
  return [...items, ...decoder.take()];
}
