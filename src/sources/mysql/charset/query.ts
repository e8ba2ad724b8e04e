import { CodeTable, LOSSY } from "./code-table.ts";
import type { Session } from "../connection.ts";

/** A digit's values, as `d`. */
const DIGITS = `(SELECT 0 AS d ${Array.from({ length: 15 }, (_, i) => `UNION ALL SELECT ${i + 1}`).join(" ")})`;

/** Codes that a character set may have: the bytes of the `n`th of so many, as an expression of SQL. */
interface Codes {
  readonly count: number;
  readonly bytes: string;
}

const ONE_BYTE: Codes = { count: 256, bytes: "CHAR(n)" };
const TWO_BYTES: Codes = { count: 65_536, bytes: "CHAR(n DIV 256, n % 256)" };
/** Of EUC-JP. */
const THREE_BYTES: Codes = { count: 65_536, bytes: "CHAR(143, n DIV 256, n % 256)" };
/** Of GB 18030, those in the BMP. */
const FOUR_BYTES: Codes = {
  count: 4 * 10 * 126 * 10,
  bytes: "CHAR(129 + n DIV 12600, 48 + n DIV 1260 % 10, 129 + n DIV 10 % 126, 48 + n % 10)",
};

/**
 * Those of the codes that are one character each, its code point in hex, and whether that becomes the same code again. The
 * servers leave out what is no character, or put question marks in its place, so that it is not the same bytes any more.
 */
function codesQuery(charset: string, { count, bytes }: Codes): string {
  const places = Array.from({ length: count <= 256 ? 2 : 4 }, (_, i) => `d${i}`);
  const sum = places.map((name, i) => `${name}.d * ${16 ** i}`).join(" + ");
  const numbers = `SELECT ${sum} AS n FROM ${places.map((name) => `${DIGITS} AS ${name}`).join(", ")}`;
  const codes = `SELECT n, ${bytes} AS code FROM (${numbers}) AS numbers WHERE n < ${count}`;
  const texts = `SELECT n, code, CONVERT(code USING ${charset}) AS text FROM (${codes}) AS codes`;
  const whole = "CHAR_LENGTH(text) = 1 AND CAST(text AS BINARY) = code";
  const back = `CAST(CONVERT(CONVERT(text USING utf8mb4) USING ${charset}) AS BINARY) = code`;
  return `SELECT n, HEX(CONVERT(text USING utf32)) AS point, ${back} AS same FROM (${texts}) AS texts WHERE ${whole}`;
}

interface CodeRow {
  readonly n: string | number;
  /** Empty: it is taken for a character, and nothing is printed for it. */
  readonly point: string;
  readonly same: string | number;
}

async function points(session: Session, charset: string, codes: Codes, signal: AbortSignal): Promise<Int32Array> {
  const found = CodeTable.noPoints(codes.count);
  for (const { n, point, same } of await session.query<CodeRow>(codesQuery(charset, codes), [], signal))
    if (point !== "") found[Number(n)] = Number.parseInt(point, 16) | (Number(same) === 1 ? 0 : LOSSY);
  return found;
}

/**
 * Asks the server for the codes of a character set, so that the log's text becomes what the server makes of the snapshot's:
 * some ten thousand short rows.
 */
export async function queriedTable(session: Session, charset: string, signal: AbortSignal): Promise<CodeTable> {
  const ask = (codes: Codes): Promise<Int32Array> => points(session, charset, codes, signal);
  const one = await ask(ONE_BYTE);
  const two = await ask(TWO_BYTES);
  const three = charset === "ujis" || charset === "eucjpms" ? await ask(THREE_BYTES) : null;
  const four = charset === "gb18030" ? await ask(FOUR_BYTES) : null;
  return new CodeTable(one, two, three, four);
}
