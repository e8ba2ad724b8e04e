import iconv from "iconv-lite";
import type { ColumnBuilder } from "../../../core/column-builder.ts";
import { Outcome } from "../../../decoding/cell-type.ts";
import { CodeTable, LOSSY } from "./code-table.ts";
import { NOT_ALONE, type TextCodes, Utf16Codes, Utf32Codes, UTF8_PER_BYTE } from "./text-codes.ts";

export { charsetOfCollation } from "./collation-charset.ts";

/** Stored as UTF-8: the bytes are the text. */
const UTF8: ReadonlySet<string> = new Set(["utf8mb4", "utf8mb3", "utf8"]);

/** Unicode in other forms than UTF-8. The server's are big endian but for one. */
const WIDE: Readonly<Record<string, TextCodes>> = {
  ucs2: new Utf16Codes("big", false),
  utf16: new Utf16Codes("big", true),
  utf16le: new Utf16Codes("little", true),
  utf32: new Utf32Codes(),
};

/** As they are, which no other reader has. */
const CONTROLS = Array.from({ length: 32 }, (_, i) => `${(0x80 + i).toString(16)} ${(0x80 + i).toString(16)}`);
/**
 * Of one byte a character: the name that `iconv-lite` has for it, and where the server reads a byte differently, that
 * byte and the code point, in hex; no code point means that it prints a question mark. Compared byte by byte with
 * `CONVERT(… USING utf8mb4)` on both servers.
 */
const SINGLE: Readonly<Record<string, readonly [encoding: string, ...differences: string[]]>> = {
  latin1: ["cp1252", "81 0081", "8d 008d", "8f 008f", "90 0090", "9d 009d"],
  latin2: ["iso88592"],
  latin5: ["iso88599"],
  latin7: ["iso885913"],
  cp1250: ["cp1250"],
  cp1251: ["cp1251"],
  cp1256: ["cp1256", "8a", "8f", "98", "9a", "9f", "aa", "c0", "ff"],
  cp1257: ["cp1257"],
  cp850: ["cp850"],
  cp852: ["cp852"],
  cp866: ["cp866", "fc 207f", "fd 00b2"],
  greek: ["iso88597", "a1 02bd", "a2 02bc", "a4", "a5", "aa"],
  hebrew: ["iso88598", "af 203e"],
  koi8r: ["koi8r"],
  koi8u: ["koi8u", "95 2022"],
  macce: ["maccenteuro"],
  macroman: ["macintosh", "bd 03a9", "db 20ac", "f0 f8ff"],
  armscii8: ["armscii8", "a1 2741", "a2 00a7", "ad 055f", "fe 2019", "ff 0027"],
  tis620: [
    "tis620",
    ...CONTROLS,
    ...["a0", "db", "dc", "dd", "de", "fc", "fd", "fe", "ff"].map((byte) => `${byte} fffd`),
  ],
  ascii: ["ascii"],
};

/**
 * What `iconv-lite` has of the others: for statements of the log, whose names and quotes it takes apart rightly.
 */
const STATEMENTS: Readonly<Record<string, string>> = {
  big5: "big5",
  cp932: "cp932",
  eucjpms: "euc-jp",
  euckr: "euc-kr",
  gb18030: "gb18030",
  gb2312: "gbk",
  gbk: "gbk",
  sjis: "shift_jis",
  ujis: "euc-jp",
};

/** Those whose codes are asked of the server (`charset-query.ts`): no library has them, or has them exactly as it does. */
const ASKED: ReadonlySet<string> = new Set([
  ...["big5", "cp932", "eucjpms", "euckr", "gb18030", "gb2312", "gbk", "sjis", "ujis"],
  ...["dec8", "geostd8", "hp8", "keybcs2", "swe7"],
]);

const QUESTION_MARK = 0x3f;
const UNDEFINED = 0xfffd;

/** How text of a character set becomes UTF-8: as it is, or by its codes. */
export type TextForm = "utf8" | TextCodes;

const forms = new Map<string, TextForm | null>();

/** Null: the server has to be asked, or nobody knows it. */
function ownForm(charset: string): TextForm | null {
  let form = forms.get(charset);
  if (form === undefined) forms.set(charset, (form = newForm(charset)));
  return form;
}

function newForm(charset: string): TextForm | null {
  if (UTF8.has(charset)) return "utf8";
  const single = SINGLE[charset];
  return single === undefined ? (WIDE[charset] ?? null) : codePoints(...single);
}

function codePoints(encoding: string, ...differences: readonly string[]): CodeTable {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const text = iconv.decode(bytes, encoding, { stripBOM: false });
  const points = Int32Array.from(bytes, (byte) => {
    const point = text.charCodeAt(byte);
    return point === UNDEFINED ? QUESTION_MARK : point;
  });
  for (const difference of differences) {
    const [byte = "", point] = difference.split(" ");
    points[Number.parseInt(byte, 16)] = point === undefined ? QUESTION_MARK : Number.parseInt(point, 16);
  }
  return new CodeTable(points.map((point, byte) => (codeOf(point, points) === byte ? point : point | LOSSY)));
}

/** What the servers make of a code point that is there more than once. */
function codeOf(point: number, points: Int32Array): number {
  return point < 0x80 ? point : points.lastIndexOf(point);
}

/** Whether different text of that character set may become the same in UTF-8. */
export function isLossyCharset(charset: string): boolean {
  const form = ownForm(charset);
  return ASKED.has(charset) || (form instanceof CodeTable && form.isLossy);
}

/** Whether text of that character set (`latin1`) can be delivered exactly. */
export function readableCharset(charset: string): boolean {
  return charset === "binary" || ASKED.has(charset) || ownForm(charset) !== null;
}

/** The forms of all character sets that can be read; those of some are there once they have been asked for. */
export class Charsets {
  readonly #ask: (charset: string) => Promise<CodeTable>;
  readonly #asked = new Map<string, CodeTable>();

  constructor(ask: (charset: string) => Promise<CodeTable>) {
    this.#ask = ask;
  }

  /** Null: not to be had, or not asked for yet. */
  form(charset: string): TextForm | null {
    return ownForm(charset) ?? this.#asked.get(charset) ?? null;
  }

  /** Sees to it that `form` has these, as far as they can be had. */
  async prepare(charsets: Iterable<string>): Promise<void> {
    for (const charset of charsets)
      if (ASKED.has(charset) && !this.#asked.has(charset)) this.#asked.set(charset, await this.#ask(charset));
  }
}

/** As a string; for statements, and nearly exact alone. */
export function decodeText(charset: string, b: Uint8Array, start: number, end: number): string {
  const bytes = Buffer.from(b.buffer, b.byteOffset + start, end - start);
  const encoding = STATEMENTS[charset];
  if (encoding !== undefined) return iconv.decode(bytes, encoding, { stripBOM: false });
  return (formText(ownForm(charset) ?? "utf8", bytes) ?? bytes).toString("utf8");
}

/** Text of a character set as UTF-8; null: it is not of that set. */
export function formText(form: TextForm, bytes: Uint8Array): Buffer | null {
  if (form === "utf8") return Buffer.from(bytes);
  const target = Buffer.alloc(bytes.length * UTF8_PER_BYTE);
  const end = form.write(target, 0, bytes, 0, bytes.length);
  return end < 0 ? null : target.subarray(0, end);
}

/** Ends a text cell with `b[start, end)` as UTF-8, unless it is malformed. Hot. */
export function appendCharsetText(
  builder: ColumnBuilder,
  form: TextForm,
  b: Uint8Array,
  start: number,
  end: number,
): Outcome {
  if (form === "utf8") {
    builder.appendBytes(b, start, end);
    return Outcome.done;
  }
  builder.reserve();
  const first = builder.makeRoom((end - start) * UTF8_PER_BYTE);
  const at = form.write(builder.bytes, first, b, start, end);
  if (at < 0) return at === NOT_ALONE ? Outcome.unrepresentable : Outcome.malformed;
  builder.endBytes(at - first);
  return Outcome.done;
}

export function appendString(builder: ColumnBuilder, text: string): void {
  const bytes = Buffer.from(text, "utf8");
  builder.appendBytes(bytes, 0, bytes.length);
}
