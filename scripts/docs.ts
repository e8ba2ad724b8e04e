// Writes the files that are generated from the sources: `npm run docs`. A test fails where one of them is stale.
import { writeFileSync } from "node:fs";
import { pipelineSchemaFile } from "../src/pipeline/json-schema.ts";
import { errorsPage } from "./errors-page.ts";
import { optionsPage } from "./options-page.ts";

writeFileSync("docs/errors.md", errorsPage());
writeFileSync("config/pipeline.schema.json", pipelineSchemaFile());
writeFileSync("docs/pipeline-options.md", optionsPage());
