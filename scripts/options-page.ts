import { pipelineJsonSchema } from "../src/pipeline/json-schema.ts";

interface OptionSchema {
  readonly description?: string;
  readonly default?: string;
  readonly properties?: Readonly<Record<string, OptionSchema>>;
  readonly oneOf?: readonly OptionSchema[];
  readonly required?: readonly string[];
  readonly const?: string;
}

/** The text of docs/pipeline-options.md, from the JSON Schema of the pipeline file. */
export function optionsPage(): string {
  const { properties = {} } = pipelineJsonSchema() as OptionSchema;
  const sections = Object.entries(properties).flatMap(([name, section]) =>
    section.oneOf === undefined
      ? optionTable(`\`${name}\``, section)
      : section.oneOf.flatMap((shape) =>
          optionTable(`\`${name}\` of type \`${shape.properties?.["type"]?.const}\``, shape),
        ),
  );
  return [
    "# Options of the pipeline file",
    "",
    "Generated from `src/pipeline/` by `npm run docs`; edit there. The rules of the file are in [operating.md](operating.md).",
    "",
    ...sections,
  ].join("\n");
}

function optionTable(title: string, { properties = {}, required = [] }: OptionSchema): readonly string[] {
  const rows = Object.entries(properties).map(([name, option]) => {
    const fallback = option.default === undefined ? "" : `\`${option.default}\``;
    const needed = required.includes(name) ? "required" : fallback;
    return `| \`${name}\` | ${needed} | ${(option.description ?? "").replaceAll("|", "\\|")} |`;
  });
  return [`## ${title}`, "", "| option | default | meaning |", "| --- | --- | --- |", ...rows, ""];
}
