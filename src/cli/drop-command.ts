import { MillraceError } from "../core/errors.ts";
import { madeOnSource, storePlace } from "../pipeline/catalog.ts";
import { dropPipeline } from "../pipeline/compose.ts";
import { loadPipeline } from "../pipeline/load.ts";
import { quietAmbient } from "./command-ambient.ts";
import { EXIT_DONE } from "./exit-code.ts";
import { StopSignals } from "./stop-signals.ts";
import type { Surroundings } from "./surroundings.ts";
import { printable } from "./text-width.ts";

/** `drop FILE`: takes away what the pipeline made on the source, and its checkpoint. The sink keeps what it has. */
export async function dropCommand(file: string, yes: boolean, surroundings: Surroundings): Promise<number> {
  const spec = await loadPipeline(file, surroundings.environment);
  const { out } = surroundings;
  if (!yes) {
    const onSource = madeOnSource(spec);
    out.write(
      `This removes ${onSource === null ? "" : `${onSource} and `}the checkpoint in ` +
        `${printable(storePlace(spec))}. The pipeline then begins anew, with a snapshot.\n`,
    );
    const answer = await surroundings.ask(`Drop the pipeline ${spec.name}? (yes/no) `);
    if (answer === null)
      throw new MillraceError("USAGE", "drop needs an answer and there is no terminal to ask on", {
        hint: "Add --yes.",
      });
    if (answer.trim().toLowerCase() !== "yes") {
      out.write("nothing was removed\n");
      return EXIT_DONE;
    }
  }
  using signals = new StopSignals(surroundings);
  const said = (what: string): void => out.write(`${printable(what)}\n`);
  const dropped = dropPipeline(spec, said, quietAmbient(surroundings), signals.stop);
  return await signals.exitCodeOf(dropped.then(() => EXIT_DONE));
}
