import { createStore } from "../../src/stores/open-store.ts";
import { createBucket } from "../support/s3.ts";
import { hurriedClock, storeConformance } from "./store.ts";

storeConformance("S3", async () => {
  const bucket = await createBucket();
  const options = bucket.options();
  return {
    abilities: { conditionalPut: true, conditionalReplace: true },
    // S3Proxy looks first and writes then, and of completions at the same time it may keep a file that no listing gets past.
    atomic: false,
    partBytes: options.partBytes,
    store: () => createStore({ kind: "s3", ...options }, hurriedClock),
    [Symbol.asyncDispose]: () => bucket[Symbol.asyncDispose](),
  };
});
