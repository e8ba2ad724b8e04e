// Writes the pages that are generated from the sources: `npm run docs`. A test fails where one of them is stale.
import { writeFileSync } from "node:fs";
import { errorsPage } from "./errors-page.ts";

writeFileSync("docs/errors.md", errorsPage());
