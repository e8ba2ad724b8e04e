import { MillraceError } from "../../../core/errors.ts";

/** A GTID of MariaDB: replication domain, server id, sequence number. */
export interface MariadbGtid {
  readonly domain: number;
  readonly server: number;
  readonly sequence: bigint;
}

const GTID = /^([0-9]{1,10})-([0-9]{1,10})-([0-9]{1,20})$/;

export function parseMariadbGtid(text: string): MariadbGtid {
  const match = GTID.exec(text.trim());
  if (match === null)
    throw new MillraceError("INTERNAL", `not a GTID of MariaDB: ${JSON.stringify(text.slice(0, 100))}`);
  return { domain: Number(match[1]), server: Number(match[2]), sequence: BigInt(match[3]!) };
}

export function formatMariadbGtid({ domain, server, sequence }: MariadbGtid): string {
  return `${domain}-${server}-${sequence}`;
}

/**
 * A GTID position of MariaDB: the last GTID of each replication domain (MariaDB documentation, *Global Transaction ID*).
 * Within a domain the log is one sequence, so everything up to that number is part of it. Immutable.
 */
export class GtidPosition {
  static readonly empty: GtidPosition = new GtidPosition(new Map());
  readonly #last: ReadonlyMap<number, MariadbGtid>;

  private constructor(last: ReadonlyMap<number, MariadbGtid>) {
    this.#last = last;
  }

  /** From the server's text form: `0-1-100,5-2-7`. */
  static parse(text: string): GtidPosition {
    const last = new Map<number, MariadbGtid>();
    for (const part of text.split(",").filter((each) => each.trim() !== "")) {
      const gtid = parseMariadbGtid(part);
      last.set(gtid.domain, later(last.get(gtid.domain), gtid));
    }
    return new GtidPosition(last);
  }

  has({ domain, sequence }: MariadbGtid): boolean {
    return sequence <= (this.#last.get(domain)?.sequence ?? -1n);
  }

  covers(other: GtidPosition): boolean {
    for (const gtid of other.#last.values()) if (!this.has(gtid)) return false;
    return true;
  }

  with(gtid: MariadbGtid): GtidPosition {
    return new GtidPosition(new Map(this.#last).set(gtid.domain, later(this.#last.get(gtid.domain), gtid)));
  }

  /** With the domain's last GTID as it was in an earlier position. */
  backTo(domain: number, earlier: GtidPosition): GtidPosition {
    const last = new Map(this.#last);
    const gtid = earlier.#last.get(domain);
    if (gtid === undefined) last.delete(domain);
    else last.set(domain, gtid);
    return new GtidPosition(last);
  }

  union(other: GtidPosition): GtidPosition {
    const last = new Map(this.#last);
    for (const gtid of other.#last.values()) last.set(gtid.domain, later(last.get(gtid.domain), gtid));
    return new GtidPosition(last);
  }

  /** What both have. */
  intersection(other: GtidPosition): GtidPosition {
    const last = new Map<number, MariadbGtid>();
    for (const [domain, gtid] of this.#last) {
      const theirs = other.#last.get(domain);
      if (theirs !== undefined) last.set(domain, theirs.sequence < gtid.sequence ? theirs : gtid);
    }
    return new GtidPosition(last);
  }

  /** The server's own form, by domain: equal positions have equal texts. */
  toString(): string {
    return [...this.#last.values()]
      .toSorted((a, b) => a.domain - b.domain)
      .map(formatMariadbGtid)
      .join(",");
  }
}

function later(known: MariadbGtid | undefined, gtid: MariadbGtid): MariadbGtid {
  return known === undefined || gtid.sequence > known.sequence ? gtid : known;
}
