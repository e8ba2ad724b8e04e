/** A string literal: `'` doubled and around. DuckDB knows no backslash escapes in it. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
