import { MillraceError } from "../core/errors.ts";
import type { Json } from "../core/json.ts";
import type { TableSchema } from "../core/table-schema.ts";

/** What a source keeps in `TableSchema.definition`, in the form that it works with: read once for each schema. */
export class KeptDefinition<Form extends object> {
  readonly #read: (definition: Json) => Form | null;
  readonly #known = new WeakMap<TableSchema, Form>();

  /** `read` answers null to what is no definition. */
  constructor(read: (definition: Json) => Form | null) {
    this.#read = read;
  }

  /** Null: nothing is kept. Throws RECORD_DAMAGED. */
  of(schema: TableSchema): Form | null {
    if (schema.definition === undefined) return null;
    const known = this.#known.get(schema);
    if (known !== undefined) return known;
    const form = this.#read(schema.definition);
    if (form === null)
      throw new MillraceError("RECORD_DAMAGED", `the record's definition of table ${schema.id} cannot be read`, {
        place: { table: schema.id },
      });
    this.#known.set(schema, form);
    return form;
  }
}
