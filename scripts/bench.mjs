// `npm run bench -- NAME`: installs and builds what is missing, then measures.
import { ensureMysqlServers } from "./mysql-servers.mjs";
import { ensureRedisServers } from "./redis-servers.mjs";
import { ensureS3Server } from "./s3-server.mjs";
import { become, checkNode, ensureBuilt, ensureInstalled } from "./setup.mjs";
import { orExit } from "./steps.mjs";

orExit(() => {
  checkNode();
  ensureInstalled();
  ensureMysqlServers();
  ensureRedisServers();
  ensureS3Server();
  ensureBuilt();
});
become("dist/bench/main.js", process.argv.slice(2));
