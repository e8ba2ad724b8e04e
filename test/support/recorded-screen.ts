import { NO_COLOURS } from "../../src/cli/paint.ts";
import type { Screen } from "../../src/cli/surroundings.ts";

/** A screen that keeps what is written to it, in pieces. */
export interface RecordedScreen extends Screen {
  readonly written: string[];
  resize(columns: number, rows: number): void;
  /** What was written since the last call. */
  take(): string;
}

export function recordedScreen(columns: number = 100, rows: number = 24, isTerminal: boolean = true): RecordedScreen {
  const written: string[] = [];
  let size = { columns, rows };
  let taken = 0;
  return {
    written,
    write: (text) => void written.push(text),
    isTerminal,
    size: () => size,
    palette: NO_COLOURS,
    resize(wide, high) {
      size = { columns: wide, rows: high };
    },
    take() {
      const fresh = written.slice(taken).join("");
      taken = written.length;
      return fresh;
    },
  };
}
