/** The most bytes of a character, of character sets that take more than one (`information_schema.CHARACTER_SETS`). */
const WIDTHS: Readonly<Record<string, number>> = {
  big5: 2,
  cp932: 2,
  eucjpms: 3,
  euckr: 2,
  gb18030: 4,
  gb2312: 2,
  gbk: 2,
  sjis: 2,
  ucs2: 2,
  ujis: 3,
  utf16: 4,
  utf16le: 4,
  utf32: 4,
  utf8: 3,
  utf8mb3: 3,
  utf8mb4: 4,
};

export function bytesPerCharacter(charset: string): number {
  return WIDTHS[charset] ?? 1;
}

/** Collations are named after their character set; a name that is one alone says nothing of the collation. */
export function charsetOfName(collation: string): string {
  return collation.split("_", 1)[0]!;
}
