import type { SqlToken } from "./sql-tokens.ts";

/** A table as a statement names it; `database` is null where it means the one in use. */
export interface NamedTable {
  readonly database: string | null;
  readonly name: string;
}

/** Reads tokens one after the other; keywords without regard to case. */
export class TokenCursor {
  readonly #tokens: readonly SqlToken[];
  /** Where nothing but semicolons is left. */
  readonly #end: number;
  #at = 0;

  constructor(tokens: readonly SqlToken[]) {
    this.#tokens = tokens;
    this.#end = tokens.findLastIndex(({ kind, text }) => kind !== "symbol" || text !== ";") + 1;
  }

  /** No more but semicolons. */
  get atEnd(): boolean {
    return this.#at >= this.#end;
  }

  /** Tokens that are left. */
  get left(): number {
    return Math.max(0, this.#end - this.#at);
  }

  /** The place where it stands, for `goTo`. */
  get place(): number {
    return this.#at;
  }

  goTo(place: number): void {
    this.#at = place;
  }

  skip(): void {
    this.#at++;
  }

  /** The unquoted word that stands there, or `ahead` tokens later, in lower case; null: none. */
  word(ahead: number = 0): string | null {
    const token = this.#tokens[this.#at + ahead];
    return token?.kind === "word" ? token.text.toLowerCase() : null;
  }

  /** Passes over these words, if they all stand there. */
  take(...words: readonly string[]): boolean {
    if (!words.every((word, i) => this.word(i) === word)) return false;
    this.#at += words.length;
    return true;
  }

  symbol(symbol: string): boolean {
    const token = this.#tokens[this.#at];
    if (token?.kind !== "symbol" || token.text !== symbol) return false;
    this.#at++;
    return true;
  }

  name(): string | null {
    const token = this.#tokens[this.#at];
    if (token?.kind !== "word" && token?.kind !== "name") return null;
    this.#at++;
    return token.text;
  }

  table(): NamedTable | null {
    const first = this.name();
    if (first === null || !this.symbol(".")) return first === null ? null : { database: null, name: first };
    const second = this.name();
    return second === null ? null : { database: first, name: second };
  }

  /** MariaDB: WAIT n, NOWAIT. Always true, so that it can stand in a condition. */
  waits(): true {
    if (this.take("wait")) this.skip();
    else this.take("nowait");
    return true;
  }

  /** Passes over the first of these lists of words that stands there. */
  takeOne(...lists: readonly string[]): boolean {
    return lists.some((list) => this.take(...list.split(" ")));
  }

  isSymbol(symbol: string, ahead: number = 0): boolean {
    const token = this.#tokens[this.#at + ahead];
    return token?.kind === "symbol" && token.text === symbol;
  }

  /** The string that stands there, passed over; null: none. Strings that follow each other are one. */
  string(): string | null {
    let text: string | null = null;
    for (let token = this.#tokens[this.#at]; token?.kind === "text"; token = this.#tokens[++this.#at])
      text = (text ?? "") + token.text;
    return text;
  }

  /** The name of a character set or collation, quoted or not, in lower case; null: none. `utf8` is `utf8mb3`. */
  charset(): string | null {
    const name = (this.name() ?? this.string())?.toLowerCase() ?? null;
    return name === null ? null : name.replace(/^utf8(?=_|$)/, "utf8mb3");
  }

  /** Whole number without a sign; null: none. */
  integer(): number | null {
    const word = this.word();
    if (word === null || !/^[0-9]{1,9}$/.test(word)) return null;
    this.#at++;
    return Number(word);
  }

  /** Passes over `(…)`, whatever is in it. False: it does not stand there, or has no end. */
  brackets(): boolean {
    if (!this.isSymbol("(")) return false;
    for (let depth = 0; this.#at < this.#tokens.length;) {
      if (this.isSymbol("(")) depth++;
      else if (this.isSymbol(")")) depth--;
      this.#at++;
      if (depth === 0) return true;
    }
    return false;
  }

  /** Up to the next comma, or closing bracket, that is in no brackets, or to the end. */
  skipElement(): void {
    while (!this.atEnd && !this.isSymbol(",") && !this.isSymbol(")")) if (!this.brackets()) this.#at++;
  }

  /** Up to behind the next comma that is in no brackets, or to the end. */
  skipAction(): void {
    while (!this.atEnd && !this.symbol(",")) if (!this.brackets()) this.#at++;
  }
}
