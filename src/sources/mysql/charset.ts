import iconv from "iconv-lite";
import type { ColumnBuilder } from "../../core/column-builder.ts";

export { charsetOfCollation } from "./collation-charset.ts";

/** Stored as UTF-8: the bytes are the text. */
const UTF8: ReadonlySet<string> = new Set(["utf8mb4", "utf8mb3", "utf8"]);

/**
 * Of more than one byte a character, by the name that `iconv-lite` has for them. The server's are big endian but for
 * one.
 */
const WIDE: Readonly<Record<string, string>> = {
  ucs2: "utf-16be",
  utf16: "utf-16be",
  utf16le: "utf-16le",
  utf32: "utf-32be",
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

const QUESTION_MARK = 0x3f;
const UNDEFINED = 0xfffd;

/** How text of a character set becomes UTF-8: as it is; by a table of code points; or as `iconv-lite` does it. */
export type TextForm = "utf8" | Uint16Array | { readonly encoding: string };

const forms = new Map<string, TextForm | null>();

/** Null: the character set cannot be read exactly as the server does (Asian ones, and those that no library has). */
export function textForm(charset: string): TextForm | null {
  let form = forms.get(charset);
  if (form === undefined) forms.set(charset, (form = newForm(charset)));
  return form;
}

function newForm(charset: string): TextForm | null {
  if (UTF8.has(charset)) return "utf8";
  const wide = WIDE[charset];
  if (wide !== undefined) return { encoding: wide };
  const single = SINGLE[charset];
  return single === undefined ? null : codePoints(...single);
}

function codePoints(encoding: string, ...differences: readonly string[]): Uint16Array {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const text = iconv.decode(bytes, encoding, { stripBOM: false });
  const table = Uint16Array.from(bytes, (byte) => {
    const point = text.charCodeAt(byte);
    return point === UNDEFINED ? QUESTION_MARK : point;
  });
  for (const difference of differences) {
    const [byte = "", point] = difference.split(" ");
    table[Number.parseInt(byte, 16)] = point === undefined ? QUESTION_MARK : Number.parseInt(point, 16);
  }
  return table;
}

/** Whether text of that character set (`latin1`) can be delivered exactly. */
export function readableCharset(charset: string): boolean {
  return charset === "binary" || textForm(charset) !== null;
}

/** As a string; of a character set that cannot be read, as if it were UTF-8. For statements, members and names. */
export function decodeText(charset: string, b: Uint8Array, start: number, end: number): string {
  const form = textForm(charset) ?? "utf8";
  const bytes = Buffer.from(b.buffer, b.byteOffset + start, end - start);
  if (form === "utf8") return bytes.toString("utf8");
  if (!(form instanceof Uint16Array)) return iconv.decode(bytes, form.encoding, { stripBOM: false });
  return Array.from(bytes, (byte) => String.fromCharCode(form[byte]!)).join("");
}

/** Ends a text cell with `b[start, end)` as UTF-8. Hot. */
export function appendCharsetText(
  builder: ColumnBuilder,
  form: TextForm,
  b: Uint8Array,
  start: number,
  end: number,
): void {
  if (form === "utf8") builder.appendBytes(b, start, end);
  else if (form instanceof Uint16Array) appendSingle(builder, form, b, start, end);
  else {
    const bytes = Buffer.from(b.buffer, b.byteOffset + start, end - start);
    appendString(builder, iconv.decode(bytes, form.encoding, { stripBOM: false }));
  }
}

export function appendString(builder: ColumnBuilder, text: string): void {
  const bytes = Buffer.from(text, "utf8");
  builder.appendBytes(bytes, 0, bytes.length);
}

function appendSingle(builder: ColumnBuilder, table: Uint16Array, b: Uint8Array, start: number, end: number): void {
  builder.reserve();
  const first = builder.makeRoom((end - start) * 3);
  const target = builder.bytes;
  let at = first;
  for (let i = start; i < end; i++) {
    const point = table[b[i]!]!;
    if (point < 0x80) target[at++] = point;
    else if (point < 0x800) {
      target[at++] = 0xc0 | (point >> 6);
      target[at++] = 0x80 | (point & 0x3f);
    } else {
      target[at++] = 0xe0 | (point >> 12);
      target[at++] = 0x80 | ((point >> 6) & 0x3f);
      target[at++] = 0x80 | (point & 0x3f);
    }
  }
  builder.endBytes(at - first);
}
