// libfaketime for tests, by which the clock of a process can be made to jump: Debian's package, unpacked under .cache/. The one of
// bookworm, which runs beside its C library and every later one.
import { copyFileSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fetchFromDebian, isComplete, placeOf } from "./debian-packages.mjs";
import { say } from "./steps.mjs";

const FILE = "libfaketime.so.1";
const LIBRARY = {
  name: "libfaketime",
  folder: "faketime",
  suite: "bookworm",
  packages: ["libfaketime"],
  // The C library is this machine's own: it is loaded into a process of it.
  unwanted: /^(?!libfaketime$)/,
  programs: [FILE],
  // Out of the folder of this machine's architecture.
  finish(folder) {
    const libraries = join(folder, "usr", "lib");
    for (const name of readdirSync(libraries)) {
      const file = join(libraries, name, "faketime", FILE);
      if (existsSync(file)) copyFileSync(file, join(folder, FILE));
    }
  },
};

export function ensureFakeTime() {
  if (isComplete(placeOf(LIBRARY), LIBRARY)) return;
  say("install: libfaketime, from Debian into .cache/");
  fetchFromDebian([LIBRARY]);
}
