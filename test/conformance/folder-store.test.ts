import { createStore } from "../../src/stores/create-store.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { hurriedClock, storeConformance } from "./store.ts";

storeConformance("folder", async () => {
  const folder = tempFolder();
  const path = folder.file("lake");
  return {
    abilities: { conditionalPut: true, conditionalReplace: false },
    atomic: true,
    partBytes: 1 << 20,
    store: () => createStore({ kind: "folder", path }, hurriedClock),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
});
