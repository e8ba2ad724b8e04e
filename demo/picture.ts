import { text } from "node:stream/consumers";

/**
 * Draws a captured terminal as SVG, as docs/demo.svg shows the demo:
 *
 *     tmux -L picture new-session -d -x 112 -y 90 'npm run demo; tmux -L picture wait-for -S done; read _'
 *     tmux -L picture wait-for done; tmux -L picture capture-pane -p -e | node dist/demo/picture.js > docs/demo.svg
 *
 * Knows the colours and weights (SGR) of a capture, which has no other control sequences.
 */
const CELL_WIDTH = 8.1;
const LINE_HEIGHT = 18;
const MARGIN = 16;
const BACKGROUND = "#16181d";
const FOREGROUND = "#d7dae0";
const COLOURS = ["#5c6370", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d7dae0"];

interface Style {
  readonly fill: string;
  readonly isBold: boolean;
  readonly isDim: boolean;
}

const PLAIN: Style = { fill: FOREGROUND, isBold: false, isDim: false };

function styled(style: Style, code: number): Style {
  if (code === 0) return PLAIN;
  if (code === 1) return { ...style, isBold: true };
  if (code === 2) return { ...style, isDim: true };
  if (code === 22) return { ...style, isBold: false, isDim: false };
  if (code === 39) return { ...style, fill: FOREGROUND };
  const colour = COLOURS[code >= 90 ? code - 90 : code - 30];
  return colour === undefined ? style : { ...style, fill: colour };
}

function escaped(part: string): string {
  return part.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function span(part: string, column: number, { fill, isBold, isDim }: Style): string {
  const weight = isBold ? ' font-weight="bold"' : "";
  const opacity = isDim ? ' opacity="0.6"' : "";
  // The length is set so that columns stand in line whatever font the reader has.
  const x = (MARGIN + column * CELL_WIDTH).toFixed(1);
  const length = (part.length * CELL_WIDTH).toFixed(1);
  return `<tspan x="${x}" textLength="${length}" lengthAdjust="spacingAndGlyphs" fill="${fill}"${weight}${opacity}>${escaped(part)}</tspan>`;
}

/** A style lasts beyond the end of its line. */
function drawLines(lines: readonly string[]): readonly string[] {
  let style = PLAIN;
  return lines.map((line, row) => {
    let column = 0;
    const spans: string[] = [];
    // Odd parts are the numbers of a control sequence.
    line.split(/\x1b\[([0-9;]*)m/).forEach((part, i) => {
      if (i % 2 === 1) style = part.split(";").map(Number).reduce(styled, style);
      else for (const words of part.matchAll(/\S+(?: \S+)*/g)) spans.push(span(words[0], column + words.index, style));
      if (i % 2 === 0) column += part.length;
    });
    const y = MARGIN + (row + 1) * LINE_HEIGHT - 5;
    return `<text y="${y}" xml:space="preserve">${spans.join("")}</text>`;
  });
}

function picture(capture: string): string {
  const lines = capture.trimEnd().split("\n");
  const columns = Math.max(...lines.map((line) => line.replaceAll(/\x1b\[[0-9;]*m/g, "").length));
  const width = Math.ceil(columns * CELL_WIDTH + 2 * MARGIN);
  const height = lines.length * LINE_HEIGHT + 2 * MARGIN;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="13">
<rect width="100%" height="100%" rx="8" fill="${BACKGROUND}"/>
${drawLines(lines).join("\n")}
</svg>
`;
}

process.stdout.write(picture(await text(process.stdin)));
