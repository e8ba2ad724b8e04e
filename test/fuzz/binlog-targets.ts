import type { MillraceError } from "../../src/core/errors.ts";
import { EventType } from "../../src/sources/mysql/binlog/event.ts";
import type { Flavour } from "../../src/sources/mysql/position.ts";
import {
  binlogDecoder,
  decodeBinlog,
  fixtureTable,
  mended,
  recordedBinlog,
  STRICT_MYSQL_RULES,
} from "../support/binlog-fixture.ts";
import type { Random } from "../support/random.ts";
import { mutated } from "./mutation.ts";
import type { FuzzTarget } from "./target.ts";

const GTIDS: readonly number[] = [EventType.gtid, EventType.taggedGtid, EventType.mariadbGtid];
const CHECKSUM = Buffer.alloc(4);
const GROUPS_MAX = 3;

/** What may stand between the rows of a transaction, or be one. */
const STATEMENTS = [
  ...["BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT `s`", "SAVEPOINT `t`", "ROLLBACK TO `s`", "ROLLBACK TO `é`"],
  ...["XA START X'61',X'',1", "XA END X'61',X'',1", "XA COMMIT X'61',X'',1", "XA ROLLBACK X'61',X'',1"],
  ...["TRUNCATE TABLE `t`", "DROP TABLE `fixture`.`t`", "ALTER TABLE t ADD COLUMN n int", "INSERT INTO t VALUES (1)"],
];

/** Whole events of a recorded binlog, a few transactions at a time, with some of them changed. */
class BinlogEvents {
  readonly #flavour: Flavour;
  readonly #description: readonly Buffer[];
  readonly #groups: readonly (readonly Buffer[])[];
  /** Ends with its text. */
  readonly #query: { readonly head: Buffer };

  constructor(flavour: Flavour) {
    this.#flavour = flavour;
    const events = recordedBinlog(flavour);
    const starts = events.flatMap((event, i) => (GTIDS.includes(event[4]!) ? [i] : []));
    this.#description = events.slice(0, starts[0]);
    this.#groups = starts.map((start, i) => events.slice(start, starts[i + 1]));
    this.#query = { head: queryHead(events.find((event) => event[4] === EventType.query)!) };
  }

  async run(random: Random): Promise<void> {
    const chosen = Array.from({ length: 1 + random.below(GROUPS_MAX) }, () => random.pick(this.#groups));
    const events = [...this.#description, ...chosen.flat()].map((event) => Buffer.from(event));
    for (let edits = random.below(4); edits >= 0; edits--) this.#edit(events, random);
    const rules = { ...STRICT_MYSQL_RULES, beforeImages: random.chance(0.5) };
    const options = { batchBytesMax: random.pick([100, 10_000]), rules };
    await decodeBinlog(binlogDecoder(this.#flavour, [fixtureTable(this.#flavour)], options), events);
  }

  #edit(events: Buffer[], random: Random): void {
    const at = random.below(events.length);
    const way = random.below(12);
    if (way === 0) events.splice(at, 1);
    else if (way === 1) events.splice(at, 0, random.pick(events));
    else if (way < 4) events.splice(at, 0, this.#statement(random));
    else if (way === 4) events.splice(at, 0, xaPrepare(random));
    else {
      const event = mutated(events[at]!, random);
      // Some errors are for the checksum to find; behind it the decoder is alone.
      events[at] = random.chance(0.02) ? event : mended(event);
    }
  }

  #statement(random: Random): Buffer {
    return mended(Buffer.concat([this.#query.head, Buffer.from(random.pick(STATEMENTS)), CHECKSUM]));
  }
}

/** Header, post-header, variables and database of a QUERY event. */
function queryHead(event: Buffer): Buffer {
  const post = 19;
  return event.subarray(0, post + 13 + event.readUInt16LE(post + 11) + event[post + 8]! + 1);
}

function xaPrepare(random: Random): Buffer {
  const event = Buffer.alloc(19 + 13 + 1 + 4);
  event[4] = EventType.xaPrepare;
  event[19] = random.below(2);
  event.writeUInt32LE(1, 20);
  event.writeUInt32LE(1, 24);
  event[32] = 0x61;
  return mended(event);
}

function saysPosition({ code, message, place }: MillraceError): boolean {
  if (code === "LOG_LOST") return message.includes("XA transaction");
  if (code === "ROLLBACK_IN_LARGE_TRANSACTION") return place.table !== undefined;
  return code === "LOG_NOT_UNDERSTOOD" && place.position !== undefined && /, at .* in event \w+ \(\d+\)/s.test(message);
}

export const BINLOG_TARGETS: readonly FuzzTarget[] = (["mysql", "mariadb"] as const).map((flavour) => {
  const events = new BinlogEvents(flavour);
  return {
    name: `binlog-${flavour}`,
    weight: 10,
    run: (random) => events.run(random),
    mayThrow: saysPosition,
  };
});
