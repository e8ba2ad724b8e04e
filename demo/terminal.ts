/** Plain, calm lines. Colour only on a terminal that wants it (https://no-color.org). */
const { stdout, env } = process;
const coloured = stdout.isTTY && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";

function style(code: number): (text: string) => string {
  return (text) => (coloured ? `\x1b[${code}m${text}\x1b[0m` : text);
}

export const bold: (text: string) => string = style(1);
export const dim: (text: string) => string = style(2);
export const green: (text: string) => string = style(32);
export const red: (text: string) => string = style(31);

export function say(text: string = ""): void {
  stdout.write(`${text}\n`);
}

/** The beginning of a step of the story. */
export function heading(text: string): void {
  say();
  say(bold(`── ${text} `.padEnd(76, "─")));
}

/** After a process that drew on the terminal was killed: its cursor may be hidden, and its last line unfinished. */
export function repairTerminal(): void {
  if (stdout.isTTY) stdout.write("\x1b[0m\x1b[?25h\n");
}

/** Columns as wide as their longest cell; numbers to the right. The first row is the head. */
export function printTable(rows: readonly (readonly string[])[], colour: (text: string, row: number) => string): void {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  rows.forEach((row, r) => {
    const cells = row.map((cell, c) =>
      /^[\d,.]+$/.test(rows[1]?.[c] ?? "") ? cell.padStart(widths[c]!) : cell.padEnd(widths[c]!),
    );
    const line = `  ${cells.join("   ").trimEnd()}`;
    say(r === 0 ? dim(line) : colour(line, r));
  });
}

export function count(value: number | bigint): string {
  return value.toLocaleString("en-US");
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
