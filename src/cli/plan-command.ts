import { assertNever } from "../core/errors.ts";
import type { Json } from "../core/json.ts";
import type { TableOffer, TableSize } from "../core/source.ts";
import { readsTables, type Startup } from "../core/startup.ts";
import { sinkPlace, sourcePlace } from "../pipeline/catalog.ts";
import { inspectPipeline, type PipelinePlan } from "../pipeline/compose.ts";
import { loadPipeline } from "../pipeline/load.ts";
import type { PipelineSpec } from "../pipeline/spec.ts";
import { quietAmbient } from "./command-ambient.ts";
import { EXIT_DONE, EXIT_REFUSED } from "./exit-code.ts";
import { errorLines } from "./print-error.ts";
import { bytes, count, plural } from "./quantity.ts";
import { StopSignals } from "./stop-signals.ts";
import type { Screen, Surroundings } from "./surroundings.ts";
import { printable } from "./text-width.ts";

/** `plan FILE`: what a run would do, asked of the source. Writes nothing; refuses what cannot be right. */
export async function planCommand(file: string, asJson: boolean, surroundings: Surroundings): Promise<number> {
  const spec = await loadPipeline(file, surroundings.environment);
  using signals = new StopSignals(surroundings);
  const planned = inspectPipeline(spec, quietAmbient(surroundings), signals.stop);
  return await signals.exitCodeOf(planned.then((plan) => show(spec, plan, asJson, surroundings)));
}

function show(spec: PipelineSpec, plan: PipelinePlan, asJson: boolean, { out }: Surroundings): number {
  if (asJson) out.write(`${JSON.stringify(planJson(spec, plan), null, 2)}\n`);
  else for (const line of planLines(spec, plan, out)) out.write(`${line}\n`);
  return plan.inspection.refusals.length > 0 ? EXIT_REFUSED : EXIT_DONE;
}

/** A table that was dropped meanwhile has none. */
function sizeOf({ schema }: TableOffer, plan: PipelinePlan): TableSize {
  return plan.sizes.get(schema.id) ?? { rows: 0, bytes: 0 };
}

function chunksOf(offer: TableOffer, plan: PipelinePlan): number {
  return offer.schema.key.length === 0 ? 1 : Math.max(1, Math.ceil(sizeOf(offer, plan).rows / plan.chunkRows));
}

export function planLines(
  spec: PipelineSpec,
  plan: PipelinePlan,
  { palette }: Pick<Screen, "palette">,
): readonly string[] {
  const { inspection } = plan;
  const place = sinkPlace(spec);
  const lines = [
    `pipeline   ${palette.bold(spec.name)}`,
    `source     ${printable(`${inspection.server} at ${sourcePlace(spec)}`)}`,
    `sink       ${printable(place === null ? spec.sink.type : `${spec.sink.type} ${place}`)}`,
    `guarantee  ${plan.guarantee}`,
    `start      ${startText(spec.source.startup)}`,
    ...(readsTables(spec.source.startup) ? [`snapshot   ${inspection.cutMethod}`] : []),
    ...inspection.notes.map((note) => `note       ${printable(note)}`),
    "",
  ];
  for (const offer of inspection.offers) lines.push(...offerLines(offer, plan, palette));
  for (const { table, error } of inspection.refusals) {
    lines.push(`${palette.bold(printable(table))} ${palette.red("refused")}`);
    lines.push(...errorLines(error, { palette }).map((line) => `  ${line}`));
  }
  const refused = inspection.refusals.length === 0 ? "" : `, ${count(inspection.refusals.length)} refused`;
  lines.push("", `${plural(inspection.offers.length, "table")}${refused}; nothing was written`);
  return lines;
}

/** What a run begins with that finds no checkpoint. */
function startText(startup: Startup): string {
  switch (startup.kind) {
    case "initial":
      return "a snapshot of the tables, then their changes";
    case "snapshot":
      return "a snapshot of the tables, and no more";
    case "latest":
      return "no snapshot: what is changed from now on";
    case "earliest":
      return "no snapshot: what the log still has";
    case "timestamp":
      return `no snapshot: the log from ${new Date(startup.ms).toISOString()} on`;
    case "file":
      return printable(`no snapshot: the log from ${startup.file}, offset ${startup.offset} on`);
    case "gtids":
      return printable(`no snapshot: the log behind ${startup.gtids}`);
    default:
      return assertNever(startup);
  }
}

function offerLines(offer: TableOffer, plan: PipelinePlan, palette: Screen["palette"]): readonly string[] {
  const { id } = offer.schema;
  const size = sizeOf(offer, plan);
  return [
    `${palette.bold(printable(id))} → ${printable(plan.targets.get(id) ?? id)}`,
    `  about ${plural(size.rows, "row")}, ${bytes(size.bytes)}; ` +
      `${printable(offer.readBy)}, about ${plural(chunksOf(offer, plan), "chunk")}`,
    ...offer.notes.map((note) => `  note: ${printable(note)}`),
  ];
}

export function planJson(spec: PipelineSpec, plan: PipelinePlan): Json {
  const { inspection } = plan;
  return {
    pipeline: spec.name,
    source: { type: spec.source.type, server: inspection.server, identity: inspection.identity },
    sink: { type: spec.sink.type },
    guarantee: plan.guarantee,
    startup: { ...spec.source.startup },
    cutMethod: inspection.cutMethod,
    notes: inspection.notes,
    tables: inspection.offers.map((offer) => ({
      table: offer.schema.id,
      target: plan.targets.get(offer.schema.id) ?? offer.schema.id,
      key: offer.schema.key.map((index) => offer.schema.columns[index]!.name),
      readBy: offer.readBy,
      rowsEstimate: sizeOf(offer, plan).rows,
      bytesEstimate: sizeOf(offer, plan).bytes,
      chunksEstimate: chunksOf(offer, plan),
      notes: offer.notes,
    })),
    refused: inspection.refusals.map(({ table, error: { code, message, hint } }) => ({ table, code, message, hint })),
  };
}
