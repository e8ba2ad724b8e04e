/**
 * A piece of a statement. `word`: not quoted, so maybe a keyword; `name`: quoted as one; `text`: a string or a number.
 */
export interface SqlToken {
  readonly kind: "word" | "name" | "text" | "symbol";
  /** Without quotes; of a symbol, the character. */
  readonly text: string;
}

export interface SqlRules {
  /** `sql_mode` has ANSI_QUOTES: double quotes are around names. */
  readonly ansiQuotes: boolean;
  /** `sql_mode` has NO_BACKSLASH_ESCAPES. */
  readonly backslashIsPlain: boolean;
  /** Whether the server runs what stands in a comment for servers from that version on. */
  readonly runsComment: (version: number, forMariadb: boolean) => boolean;
}

const SPACE = /[\s\u00a0]/;
const WORD = /[\p{L}\p{N}_$\u0080-\uffff]/u;

/** `9.7.4-2` → 90704, `11.8.9-MariaDB` → 110809: how versioned comments number servers. */
export function serverNumber(version: string): number {
  // MariaDB before 11 put 5.5.5- in front, for old clients.
  const [, major = "0", minor = "0", patch = "0"] = /^(?:5\.5\.5-)?(\d+)\.(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) * 10_000 + Number(minor) * 100 + Number(patch);
}

/**
 * Takes a statement apart as far as telling keywords, names and the rest needs (MySQL Reference Manual, *Language
 * Structure*). Null: it does not end as it should.
 */
export function sqlTokens(sql: string, rules: SqlRules): readonly SqlToken[] | null {
  const tokens: SqlToken[] = [];
  let at = 0;
  while (at < sql.length) {
    const c = sql[at]!;
    if (SPACE.test(c)) at++;
    else if (c === "#" || (c === "-" && isDashComment(sql, at))) at = lineEnd(sql, at);
    else if (c === "/" && sql[at + 1] === "*") at = commentEnd(sql, at, rules);
    else if (c === "*" && sql[at + 1] === "/") at += 2; // of a comment that is run
    else if (c === "`" || c === '"' || c === "'") {
      const quoted = quotedText(sql, at, c !== "`" && !(c === '"' && rules.ansiQuotes) && !rules.backslashIsPlain);
      if (quoted === null) return null;
      const isName = c === "`" || (c === '"' && rules.ansiQuotes);
      tokens.push({ kind: isName ? "name" : "text", text: quoted.text });
      at = quoted.end;
    } else if (WORD.test(c)) {
      let end = at + 1;
      while (end < sql.length && WORD.test(sql[end]!)) end++;
      tokens.push({ kind: "word", text: sql.slice(at, end) });
      at = end;
    } else {
      tokens.push({ kind: "symbol", text: c });
      at++;
    }
    if (at < 0) return null;
  }
  return tokens;
}

/** `--` begins a comment where white space or the end follows. */
function isDashComment(sql: string, at: number): boolean {
  return sql[at + 1] === "-" && (at + 2 >= sql.length || /[\s\u0000-\u001f]/.test(sql[at + 2]!));
}

function lineEnd(sql: string, at: number): number {
  const end = sql.indexOf("\n", at);
  return end < 0 ? sql.length : end + 1;
}

const VERSIONED = /^\/\*(M?)!(\d{5,6})?/;

/** Behind the comment; where the server runs what is in it, behind its beginning. −1: it has no end. */
function commentEnd(sql: string, at: number, rules: SqlRules): number {
  const versioned = VERSIONED.exec(sql.slice(at, at + 16));
  if (versioned !== null && rules.runsComment(Number(versioned[2] ?? 0), versioned[1] === "M"))
    return at + versioned[0].length;
  const end = sql.indexOf("*/", at + 2);
  return end < 0 ? -1 : end + 2;
}

function quotedText(sql: string, start: number, escapes: boolean): { text: string; end: number } | null {
  const quote = sql[start]!;
  let text = "";
  for (let at = start + 1; at < sql.length; at++) {
    const c = sql[at]!;
    if (c === quote) {
      if (sql[at + 1] !== quote) return { text, end: at + 1 };
      at++;
    } else if (c === "\\" && escapes) {
      text += escaped(sql[++at] ?? "");
      continue;
    }
    text += sql[at] ?? "";
  }
  return null;
}

const ESCAPES: Readonly<Record<string, string>> = { "0": "\0", b: "\b", n: "\n", r: "\r", t: "\t", Z: "\u001a" };

/** What a backslash and that character mean. Those of patterns keep their backslash. */
function escaped(c: string): string {
  return c === "%" || c === "_" ? `\\${c}` : (ESCAPES[c] ?? c);
}
