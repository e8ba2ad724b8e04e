// `npm run bench -- NAME`: installs and builds what is missing, then measures.
import { ensureMysqlServers } from "./mysql-servers.mjs";
import { become, checkNode, ensureBuilt, ensureInstalled } from "./setup.mjs";
import { orExit } from "./steps.mjs";

orExit(() => {
  checkNode();
  ensureInstalled();
  ensureMysqlServers();
  ensureBuilt();
});
become("dist/bench/main.js", process.argv.slice(2));
