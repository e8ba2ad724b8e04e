import type { FailpointSignal } from "../observe/failpoint-trigger.ts";
import type { Palette } from "./paint.ts";

/** A stream that people or programs read: stdout or stderr. */
export interface Screen {
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Of the terminal as it is now; 80 by 24 where there is none. */
  size(): { readonly columns: number; readonly rows: number };
  readonly palette: Palette;
}

export type StopSignal = "SIGINT" | "SIGTERM";

/** All that the commands touch of the process they run in; main.ts makes the real one, and nothing else does. */
export interface Surroundings {
  readonly out: Screen;
  readonly err: Screen;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  residentBytes(): number;
  readonly version: string;
  /** Calls back for each SIGINT and SIGTERM until it is disposed of; meanwhile they do not end the process. */
  onStopSignal(listener: (signal: StopSignal) => void): Disposable;
  /** Ends the process at once. */
  exitNow(code: number): void;
  /** For failpoints: SIGKILL ends it as a power cut would. */
  signalItself(name: FailpointSignal): void;
  isAlive(pid: number): boolean;
  /** What the user answers; null where nobody can be asked. */
  ask(question: string): Promise<string | null>;
}
