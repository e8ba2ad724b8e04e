import type { ValueRules } from "../../src/core/source.ts";
import { CopyDecoder } from "../../src/sources/postgres/copy-decoder.ts";
import { LogDecoder } from "../../src/sources/postgres/log-decoder.ts";
import { PgPosition, pgLsn, xid64 } from "../../src/sources/postgres/position.ts";
import {
  beginMessage,
  changeMessage,
  commitMessage,
  COPY_HEADER,
  COPY_TRAILER,
  copyRow,
  int32,
  numericBinary,
  relationMessage,
  tableOf,
  truncateMessage,
  tuple,
  UNCHANGED,
} from "../support/postgres-wire.ts";
import type { Random } from "../support/random.ts";
import { mutated } from "./mutation.ts";
import { type FuzzTarget, saysWhere } from "./target.ts";

const RULES: ValueRules = {
  unrepresentable: "error",
  nonFinite: { decimalNaN: false, dateInfinity: true, timestampInfinity: true },
  beforeImages: false,
};
const OID = 16_400;
const LOGGED = tableOf(
  { kind: "int", bits: 64 },
  { kind: "text" },
  { kind: "decimal", precision: 10, scale: 2 },
  { kind: "timestamp", zone: true },
  { kind: "float", bits: 64 },
);
const ROW = tuple("N", ["12345678901234567", "text", "12.50", "2024-01-01 00:00:00.5+00", "1.5e-07"]);
const TOASTED = tuple("N", ["-1", UNCHANGED, null, "infinity", "NaN"]);
const KEY = tuple("K", ["7", null, null, null, null]);
const MESSAGES = [
  beginMessage(0x1000n, 700),
  relationMessage(OID, "t", ["c0", "c1", "c2", "c3", "c4"]),
  changeMessage("I", OID, ROW),
  changeMessage("U", OID, TOASTED),
  changeMessage("U", OID, KEY, TOASTED),
  changeMessage("D", OID, KEY),
  truncateMessage(OID),
  commitMessage(0x1000n),
];

async function pgoutput(random: Random): Promise<void> {
  const messages: Buffer[] = MESSAGES.map((message) => Buffer.from(message));
  for (let edits = random.below(3); edits >= 0; edits--) {
    const at = random.below(messages.length);
    const way = random.below(10);
    if (way === 0) messages.splice(at, 1);
    else if (way === 1) messages.splice(at, 0, random.pick(MESSAGES));
    else messages[at] = mutated(messages[at]!, random);
    if (messages.length === 0) return;
  }
  const decoder = new LogDecoder({
    tables: [LOGGED],
    from: new PgPosition(pgLsn(0n)),
    nearXid: xid64(1000n),
    batchBytesMax: random.pick([100, 10_000]),
    flushRows: Number.MAX_SAFE_INTEGER,
    rules: { ...RULES, beforeImages: random.chance(0.5) },
    lookup: (_, known) => Promise.resolve(known === null ? { kind: "ignore" } : { kind: "same" }),
  });
  for (const message of messages) await decoder.decode(message, 0, message.length);
  decoder.flush();
  decoder.take();
}

const COPIED = tableOf({ kind: "int", bits: 32 }, { kind: "text" }, { kind: "decimal", precision: 10, scale: 2 });
const COPY = Buffer.concat([
  COPY_HEADER,
  copyRow([int32(-5), Buffer.from("text"), numericBinary("12345.67")]),
  copyRow([int32(7), null, numericBinary("-0.01")]),
  COPY_TRAILER,
]);

function copy(random: Random): void {
  const bytes = mutated(COPY, random);
  const decoder = new CopyDecoder(COPIED, RULES);
  const middle = random.below(bytes.length + 1);
  decoder.push(bytes, 0, middle);
  if (!decoder.finished) decoder.push(bytes, middle, bytes.length);
  decoder.take();
}

export const POSTGRES_TARGETS: readonly FuzzTarget[] = [
  { name: "pgoutput", weight: 5, run: pgoutput, mayThrow: saysWhere },
  {
    name: "copy",
    weight: 10,
    run: copy,
    mayThrow: ({ code, place }) =>
      (code === "DECODE_FAILED" || code === "VALUE_UNREPRESENTABLE") && place.table !== undefined,
  },
];
