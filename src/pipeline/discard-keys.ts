import { z } from "zod";
import { section, type Section } from "./section.ts";
import type { DiscardSpec } from "./spec.ts";

const keys = z.strictObject({
  type: z
    .literal("discard", "`discard`")
    .meta({ description: "Takes everything and keeps nothing: for measuring a source." }),
});

/** The sink section of type `discard`. */
export const discardSink: Section<DiscardSpec> = section(keys, ["name"], (): DiscardSpec => ({ type: "discard" }));
