import type { Alteration } from "./alteration.ts";
import type { TokenCursor } from "./token-cursor.ts";

/** Options of a table that mean nothing to its rows in the log; each takes one value. */
const IDLE = [
  ["engine", "type", "auto_increment", "avg_row_length", "checksum", "table_checksum", "comment", "compression"],
  ["connection", "data directory", "index directory", "delay_key_write", "encryption", "encrypted", "tablespace"],
  ["encryption_key_id", "ietf_quotes", "insert_method", "key_block_size", "max_rows", "min_rows", "pack_keys"],
  ["page_checksum", "page_compressed", "page_compression_level", "password", "row_format", "sequence", "storage"],
  ["stats_auto_recalc", "stats_persistent", "stats_sample_pages", "transactional", "autoextend_size"],
  ["engine_attribute", "secondary_engine_attribute", "secondary_engine", "start transaction"],
].flat();

/** Options of a table, up to what ends them. Null: not understood. */
export function readTableOptions(cursor: TokenCursor): readonly Alteration[] | null {
  const found: Alteration[] = [];
  for (let first = true; first || !endsOptions(cursor); first = false) {
    const option = readOption(cursor);
    if (option === null) return null;
    found.push(...option);
  }
  return found;
}

function endsOptions(cursor: TokenCursor): boolean {
  if (cursor.atEnd || cursor.isSymbol(",")) return true;
  return ["partition", "remove", "ignore", "replace", "as", "select"].includes(cursor.word() ?? "");
}

/** Null: none, or DEFAULT, which is the database's. */
function namedCharset(cursor: TokenCursor): string | null {
  cursor.symbol("=");
  return cursor.word() === "default" ? null : cursor.charset();
}

function readOption(cursor: TokenCursor): readonly Alteration[] | null {
  const isDefault = cursor.take("default");
  if (cursor.takeOne("character set", "char set", "charset")) {
    const charset = namedCharset(cursor);
    return charset === null ? null : [{ kind: "default-charset", charset, collation: null }];
  }
  if (cursor.take("collate")) {
    const collation = namedCharset(cursor);
    return collation === null ? null : [{ kind: "default-charset", charset: null, collation }];
  }
  if (isDefault) return null;
  if (cursor.takeOne("secondary_load", "secondary_unload")) return [];
  if (cursor.take("union")) {
    cursor.symbol("=");
    return cursor.brackets() ? [] : null;
  }
  if (!cursor.takeOne(...IDLE)) return null;
  cursor.symbol("=");
  return cursor.string() !== null || cursor.name() !== null ? [] : null;
}
