import { z } from "zod";
import { SINK_SECTIONS, SOURCE_SECTIONS } from "./catalog.ts";
import { pipelineSection } from "./pipeline-keys.ts";
import type { Section } from "./section.ts";

type Schema = Readonly<Record<string, unknown>>;

function sectionSchema(section: Section<unknown>): Schema {
  const { $schema: _, ...schema } = z.toJSONSchema(section.keys, { io: "input" });
  return schema;
}

function typedSchema(description: string, sections: Readonly<Record<string, Section<unknown>>>): Schema {
  const shapes = Object.values(sections).map(sectionSchema);
  return { description, type: "object", properties: { type: { enum: Object.keys(sections) } }, oneOf: shapes };
}

/** The JSON Schema of a pipeline file, for completion and checks in editors: config/pipeline.schema.json. */
export function pipelineJsonSchema(): Schema {
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Millrace pipeline",
    type: "object",
    properties: {
      source: typedSchema("Where rows and changes come from.", SOURCE_SECTIONS),
      sink: typedSchema("Where they go.", SINK_SECTIONS),
      pipeline: {
        description: "The pipeline itself: its name, checkpoints, parallelism.",
        ...sectionSchema(pipelineSection),
      },
    },
    required: ["source", "sink", "pipeline"],
    additionalProperties: false,
  };
}

/** The file's whole text. */
export function pipelineSchemaFile(): string {
  return `${JSON.stringify(pipelineJsonSchema(), null, 2)}\n`;
}
