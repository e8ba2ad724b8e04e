import { createStore } from "../../src/stores/open-store.ts";
import { createBucket } from "../support/s3.ts";
import { hurriedClock, storeConformance } from "./store.ts";

storeConformance("S3", async () => {
  const bucket = await createBucket();
  const options = bucket.options();
  return {
    abilities: { conditionalPut: true, conditionalReplace: true },
    // S3Proxy looks first and writes then; AWS does it as one.
    atomic: false,
    partBytes: options.partBytes,
    store: () => createStore({ kind: "s3", ...options }, hurriedClock),
    [Symbol.asyncDispose]: () => bucket[Symbol.asyncDispose](),
  };
});
