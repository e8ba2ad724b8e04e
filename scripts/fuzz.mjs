// `npm run fuzz -- --inputs 10000000 --seed 1`: gives every decoder broken input. Installs and builds what is missing first.
import { become, checkNode, ensureBuilt, ensureInstalled } from "./setup.mjs";
import { orExit } from "./steps.mjs";

orExit(() => {
  checkNode();
  ensureInstalled();
  ensureBuilt();
});
become("dist/scripts/fuzz.js", process.argv.slice(2));
