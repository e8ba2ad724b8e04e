import type { Clock } from "../core/ambient.ts";
import { assertNever } from "../core/errors.ts";
import { FolderStore } from "./folder/store.ts";
import type { ObjectStore } from "./object-store.ts";
import type { S3Options } from "./s3/options.ts";
import { S3Store } from "./s3/store.ts";

/** Where objects are. */
export type StoreLocation = { readonly kind: "folder"; readonly path: string } | ({ readonly kind: "s3" } & S3Options);

/**
 * The store there. Nothing is touched before its `open`. `brief`: what is put there without a condition is read by those alone
 * who are told of it afterwards, and need not outlast a crash of the machine: a folder has it under its name at once then,
 * and does not wait for its disk.
 */
export function createStore(location: StoreLocation, clock: Clock, brief: boolean = false): ObjectStore {
  switch (location.kind) {
    case "folder":
      return new FolderStore(location.path, brief);
    case "s3":
      return new S3Store(location, clock);
    default:
      return assertNever(location);
  }
}
