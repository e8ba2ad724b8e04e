import { loadPipeline } from "../pipeline/load.ts";
import { EXIT_DONE } from "./exit-code.ts";
import { printable } from "./text-width.ts";
import type { Surroundings } from "./surroundings.ts";

/** `validate FILE`: whether the file can be used, without asking any server. */
export async function validateCommand(file: string, surroundings: Surroundings): Promise<number> {
  const spec = await loadPipeline(file, surroundings.environment);
  const { source, sink } = spec;
  surroundings.out.write(`${printable(file)} is valid: pipeline ${spec.name}, ${source.type} to ${sink.type}\n`);
  return EXIT_DONE;
}
