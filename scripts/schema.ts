import { writeFile } from "node:fs/promises";
import { pipelineSchemaFile } from "../src/pipeline/json-schema.ts";

/** Writes config/pipeline.schema.json; run from the project's root. A test fails when the file is stale. */
await writeFile("config/pipeline.schema.json", pipelineSchemaFile());
