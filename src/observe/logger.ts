import { pino } from "pino";
import type { LogFields, Logger } from "../core/ambient.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Where finished lines go, each with its line break. */
export interface LineSink {
  write(line: string): void;
}

/** One JSON object a line, for machines: `{"level":"info","time":"2026-…Z","msg":"epoch committed","epoch":7}`. */
export function jsonLogger(level: LogLevel, sink: LineSink): Logger {
  const log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    sink,
  );
  const at =
    (name: LogLevel) =>
    (message: string, fields: LogFields = {}): void =>
      log[name](fields, message);
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** `14:03:59 warn  epoch took long  epoch=7 tookMs=900`, for people. */
export function plainLogger(level: LogLevel, sink: LineSink, nowMs: () => number): Logger {
  const least = LOG_LEVELS.indexOf(level);
  const at =
    (name: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (LOG_LEVELS.indexOf(name) < least) return;
      const time = new Date(nowMs()).toTimeString().slice(0, 8);
      sink.write(`${time} ${name.padEnd(5)} ${onOneLine(message)}${plainFields(fields)}\n`);
    };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

function plainFields(fields: LogFields): string {
  const known = Object.entries(fields).filter(([, value]) => value !== undefined);
  if (known.length === 0) return "";
  const written = known.map(([name, value]) => `${name}=${quoted(String(value))}`);
  return `  ${written.join(" ")}`;
}

function quoted(value: string): string {
  return /^[^\s"=]+$/.test(value) ? onOneLine(value) : JSON.stringify(value);
}

/** Control characters, of a server's message for example, must not move a terminal's cursor. */
function onOneLine(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
}
