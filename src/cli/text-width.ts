/** How many columns of a terminal a text takes: names of tables may be of any script. */
const ZERO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]$/u;

function charWidth(char: string): number {
  if (char.length === 1 && char >= " " && char <= "~") return 1;
  if (ZERO_WIDTH.test(char)) return 0;
  return WIDE.test(char) ? 2 : 1;
}

export function textWidth(text: string): number {
  let width = 0;
  for (const char of text) width += charWidth(char);
  return width;
}

const COLOUR = /\u001b\[\d+m/g;

/** The width of a text that has been painted. */
export function visibleWidth(painted: string): number {
  return textWidth(painted.replaceAll(COLOUR, ""));
}

/** The text in at most `width` columns, with `…` where its end was cut off. */
export function cut(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  let kept = "";
  let used = 0;
  for (const char of text) {
    const next = used + charWidth(char);
    if (next > width - 1) break;
    kept += char;
    used = next;
  }
  return width <= 0 ? "" : `${kept}…`;
}

/** The text in exactly `width` columns. */
export function fit(text: string, width: number, align: "left" | "right"): string {
  const short = cut(text, width);
  const padding = " ".repeat(Math.max(0, width - textWidth(short)));
  return align === "left" ? short + padding : padding + short;
}

/** Control characters would move the cursor; a name or a server's message may hold any. */
export function printable(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "�");
}
