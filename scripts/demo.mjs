// `npm run demo`: installs and builds what is missing, then runs the demo.
import { become, checkNode, ensureBuilt, ensureInstalled } from "./setup.mjs";
import { orExit } from "./steps.mjs";

orExit(() => {
  checkNode();
  ensureInstalled();
  ensureBuilt();
});
become("dist/demo/main.js", process.argv.slice(2));
