import { MillraceError } from "../../../core/errors.ts";
import type { Json } from "../../../core/json.ts";
import type { Position, Transaction } from "../../../core/position.ts";

/** A binlog file begins with four bytes that are no event. */
export const FILE_START = 4;
/** What COM_BINLOG_DUMP can ask for (32 bits). */
const OFFSET_MAX = 0xffff_ffff;

/** Negative: the first was begun before the other. Files of one server are numbered; null: of another one's, or renamed. */
export function compareFiles(a: string, b: string): number | null {
  if (a === b) return 0;
  const [x, y] = [numbered(a), numbered(b)];
  return x === null || y === null || x.base !== y.base ? null : x.number - y.number;
}

function numbered(file: string): { readonly base: string; readonly number: number } | null {
  const match = /^(.*)\.([0-9]+)$/s.exec(file);
  return match === null ? null : { base: match[1]!, number: Number(match[2]) };
}

/** A transaction by the place in the log where it begins: where there are no GTIDs, nothing else names it. */
export class FileTransaction implements Transaction {
  readonly file: string;
  readonly offset: number;
  readonly commitTimeMs: number;

  constructor(file: string, offset: number, commitTimeMs: number) {
    this.file = file;
    this.offset = offset;
    this.commitTimeMs = commitTimeMs;
  }

  get id(): string {
    return `${this.file}:${this.offset}`;
  }

  get place(): string {
    return this.id;
  }

  static parse(id: string): FileTransaction {
    const colon = id.lastIndexOf(":");
    return new FileTransaction(id.slice(0, colon), Number(id.slice(colon + 1)), 0);
  }
}

/** A place in the log between two transactions. */
export interface FilePlace {
  readonly file: string;
  readonly offset: number;
  /** Where to ask for the log, at or before `offset`: a place between two transactions that the command can name. */
  readonly ask: number;
  /** When the file was begun, in seconds since 1970 by the server's clock; 0: not known. */
  readonly begun: number;
}

/** How much of MySQL's log is done where there are no GTIDs: all that begins before a place in the files of one server. */
export class FilePosition implements Position, FilePlace {
  /** Its UUID: another server's files are other ones. */
  readonly server: string;
  readonly file: string;
  readonly offset: number;
  readonly ask: number;
  readonly begun: number;
  readonly #restart: FilePosition | null;

  /** `restart`: where another reading begins, for XA transactions whose outcome was open (`ReadingProgress`). */
  constructor(server: string, { file, offset, ask, begun }: FilePlace, restart: FilePosition | null = null) {
    this.server = server;
    this.file = file;
    this.offset = offset;
    this.ask = ask;
    this.begun = begun;
    this.#restart = restart;
  }

  get isPlain(): boolean {
    return this.#restart === null;
  }

  /** What is done and nothing else. */
  get done(): FilePosition {
    return this.isPlain ? this : new FilePosition(this.server, this);
  }

  get restart(): FilePosition {
    return this.#restart ?? this;
  }

  /** A place that somebody named. What cannot be asked for is read from the file's beginning. */
  static at(server: string, file: string, offset: number, begun: number = 0): FilePosition {
    return new FilePosition(server, { file, offset, ask: askable(offset) ? offset : FILE_START, begun });
  }

  has(transaction: Transaction): boolean {
    if (!(transaction instanceof FileTransaction)) throw ofAnother("transaction");
    return this.#isAt(transaction.file, transaction.offset + 1);
  }

  covers(other: Position): boolean {
    const { server, file, offset } = filePosition(other);
    return this.server === server && this.#isAt(file, offset);
  }

  /** At the place, or behind it. */
  #isAt(file: string, offset: number): boolean {
    const order = compareFiles(this.file, file);
    return order !== null && (order > 0 || (order === 0 && this.offset >= offset));
  }

  meet(other: Position): Position {
    const position = filePosition(other);
    const done = earlier(this.done, position.done);
    const restart = earlier(this.restart.done, position.restart.done);
    return restart.covers(done) ? done : new FilePosition(done.server, done, restart);
  }

  serialize(): Json {
    const { server, restart } = this;
    const textOf = ({ begun, ask, offset, file }: FilePlace): string => `${begun} ${ask} ${offset} ${file}`;
    // A file may have any name, so that only a length tells where it ends.
    const { length } = this.file;
    return this.isPlain
      ? `file ${server} ${textOf(this)}`
      : `files ${server} ${length} ${textOf(this)} ${textOf(restart)}`;
  }

  toString(): string {
    return `${this.file}:${this.offset}`;
  }

  /** Null: it is none. */
  static parse(text: string): FilePosition | null {
    const plain = /^file (\S*) (.+)$/s.exec(text);
    if (plain !== null) return placeOf(plain[1]!, plain[2]!);
    const two = /^files (\S*) (\d{1,4}) (\d+ \d+ \d+ )(.+)$/s.exec(text);
    if (two === null) return null;
    const [server, length, numbers, names] = [two[1]!, Number(two[2]), two[3]!, two[4]!];
    const done = placeOf(server, numbers + names.slice(0, length));
    const restart = placeOf(server, names.slice(length + 1));
    return done === null || restart === null ? null : new FilePosition(server, done, restart);
  }
}

function placeOf(server: string, text: string): FilePosition | null {
  const match = /^(\d{1,15}) (\d{1,15}) (\d{1,15}) (.+)$/s.exec(text);
  if (match === null) return null;
  const [begun, ask, offset] = match.slice(1, 4).map(Number) as [number, number, number];
  return new FilePosition(server, { file: match[4]!, offset, ask, begun });
}

function earlier(a: FilePosition, b: FilePosition): FilePosition {
  if (a.covers(b)) return b;
  if (b.covers(a)) return a;
  throw new MillraceError("INTERNAL", "positions in the logs of two servers");
}

/** Whether COM_BINLOG_DUMP can name it. */
export function askable(offset: number): boolean {
  return offset <= OFFSET_MAX;
}

function filePosition(position: Position): FilePosition {
  if (position instanceof FilePosition) return position;
  throw ofAnother("position");
}

function ofAnother(what: string): MillraceError {
  return new MillraceError("INTERNAL", `a ${what} of another source`);
}
