import { expect } from "vitest";
import { MillraceError } from "../../src/core/errors.ts";
import { parsePipeline } from "../../src/pipeline/parse.ts";

const ENVIRONMENT = { PASSWORD: "swordfish", EMPTY: "", PORT_TEXT: "five", SECRET_PORT: "hunter2" };

/** What is wrong with a pipeline file, `file:line:column: message` each; nothing where it is a good one. */
export function pipelineProblems(text: string): readonly string[] {
  try {
    parsePipeline(text, { file: "p.yaml", folder: "/tmp", environment: ENVIRONMENT });
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    expect(error.code).toBe("CONFIG_INVALID");
    expect(error.exitCode).toBe(2);
    const { file, line, column } = error.place;
    if (line !== undefined) return [`${file}:${line}:${column}: ${error.message}`];
    const [headline, ...lines] = error.message.split("\n");
    expect(headline).toBe(`the pipeline file has ${lines.length} problems`);
    return lines.map((text) => text.trim());
  }
  return [];
}
