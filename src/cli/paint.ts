/** Colours of a terminal, or none. */
export type Paint = (text: string) => string;

export interface Palette {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly cyan: Paint;
}

const ESCAPE = "\u001b[";
const sgr =
  (on: number, off: number): Paint =>
  (text) =>
    text === "" ? "" : `${ESCAPE}${on}m${text}${ESCAPE}${off}m`;

export const COLOURS: Palette = {
  bold: sgr(1, 22),
  dim: sgr(2, 22),
  red: sgr(31, 39),
  green: sgr(32, 39),
  yellow: sgr(33, 39),
  cyan: sgr(36, 39),
};

const plain: Paint = (text) => text;
export const NO_COLOURS: Palette = { bold: plain, dim: plain, red: plain, green: plain, yellow: plain, cyan: plain };
