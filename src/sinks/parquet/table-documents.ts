import type { ObjectStore } from "../../stores/object-store.ts";
import { pathPart, schemaFolder } from "./layout.ts";
import { incarnationGlob, presentQuery } from "./present-query.ts";
import { schemaDocument, tableDocument, type TableEntry } from "./schema.ts";

/** What lies in `_schema/` beside a table's files: each version of its schema, how far it is, and how to read its rows. */
export class TableDocuments {
  readonly #store: ObjectStore;
  readonly #pipeline: string;

  constructor(store: ObjectStore, pipeline: string) {
    this.#store = store;
    this.#pipeline = pipeline;
  }

  /** Repeating it is harmless: each is made of the entry alone. */
  async write(tables: readonly TableEntry[], sequence: number, signal: AbortSignal): Promise<void> {
    for (const table of tables) {
      const folder = schemaFolder(table.folder);
      const version = `i${table.incarnation}-v${table.schema.version}.json`;
      const files = incarnationGlob(this.#store.place, pathPart(this.#pipeline), table);
      const documents = {
        [version]: schemaDocument(this.#pipeline, table),
        "table.json": tableDocument(this.#pipeline, table, sequence),
        "present.sql": presentQuery(table, files),
      };
      for (const [name, text] of Object.entries(documents))
        await this.#store.put(`${folder}/${name}`, Buffer.from(text), null, signal);
    }
  }
}
