import type { Clock } from "../core/ambient.ts";
import { assertNever } from "../core/errors.ts";
import { FolderStore } from "./folder/store.ts";
import type { ObjectStore } from "./object-store.ts";
import type { S3Options } from "./s3/options.ts";
import { S3Store } from "./s3/store.ts";

/** Where objects are. */
export type StoreLocation = { readonly kind: "folder"; readonly path: string } | ({ readonly kind: "s3" } & S3Options);

/** The store there. Nothing is touched before its `open`. */
export function createStore(location: StoreLocation, clock: Clock): ObjectStore {
  switch (location.kind) {
    case "folder":
      return new FolderStore(location.path);
    case "s3":
      return new S3Store(location, clock);
    default:
      return assertNever(location);
  }
}
