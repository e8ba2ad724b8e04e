// MySQL and MariaDB for tests, with their client programs: the packages of Debian's sid, from the mirror that apt is set
// up with, unpacked under .cache/. That installs nothing, needs no root and leaves apt's own lists alone. The programs run
// beside this machine's libraries, by a loader and libraries that are fetched with them.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { printed, root, run, say, StepError } from "./steps.mjs";

const SERVERS = [
  {
    name: "MySQL",
    folder: "mysql",
    variable: "MILLRACE_TEST_MYSQL_URL",
    packages: ["mysql-server-core", "mysql-client-core"],
    programs: ["usr/sbin/mysqld", "usr/bin/mysql", "usr/bin/mysqlbinlog"],
  },
  {
    name: "MariaDB",
    folder: "mariadb",
    variable: "MILLRACE_TEST_MARIADB_URL",
    packages: ["mariadb-server-core", "mariadb-client"],
    programs: ["usr/sbin/mariadbd", "usr/bin/mariadb", "usr/bin/mariadb-binlog"],
  },
];

const CACHE = join(root, ".cache");
/** apt's lists and packages, while we fetch. */
const APT = join(CACHE, "apt");
const KEYRINGS = ["gpg", "pgp"].map((suffix) => `/usr/share/keyrings/debian-archive-keyring.${suffix}`);
const UNWANTED_RELATIONS = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"];
/** Large, and for scripts that nobody calls here. */
const UNWANTED_PACKAGES = /perl/;

/** Fetches each server that is neither named by its variable nor there already. */
export function ensureMysqlServers() {
  const missing = SERVERS.filter((server) => !process.env[server.variable] && !isComplete(placeOf(server), server));
  if (missing.length === 0) return;
  say(`install: ${missing.map(({ name }) => name).join(" and ")}, from Debian's sid into .cache/`);
  rmSync(APT, { recursive: true, force: true });
  try {
    const options = sidOptions();
    for (const server of missing) fetchServer(server, options);
  } catch (error) {
    throw error instanceof StepError ? new StepError(`${error.message}\n${wayOut(missing)}`, error.exitCode) : error;
  } finally {
    rmSync(APT, { recursive: true, force: true });
  }
}

function wayOut(missing) {
  const variables = missing.map(({ variable }) => variable).join(" and ");
  return `Tests need ${missing.map(({ name }) => name).join(" and ")}. To fetch them takes apt, dpkg and a mirror of Debian. Elsewhere start docker-compose.yml, which names the values for ${variables}.`;
}

function placeOf({ folder }) {
  return join(CACHE, folder);
}

function isComplete(place, { programs }) {
  return programs.every((program) => existsSync(join(place, program)));
}

function fetchServer(server, options) {
  const place = placeOf(server);
  const [unfinished, packages] = [`${place}.unfinished`, join(APT, server.folder)];
  for (const folder of [unfinished, place]) rmSync(folder, { recursive: true, force: true });
  for (const folder of [unfinished, packages]) mkdirSync(folder);
  const names = withAllTheyNeed(server, options);
  run(`fetching ${server.name}`, "apt-get", [...options, "download", ...names], { cwd: packages });
  for (const file of readdirSync(packages)) run(`unpacking ${file}`, "dpkg", ["-x", join(packages, file), unfinished]);
  if (!isComplete(unfinished, server)) throw new StepError(`${names.join(" ")}: a program is missing in them`, 1);
  renameSync(unfinished, place);
}

/** The C library too. */
function withAllTheyNeed({ name, packages }, options) {
  const without = UNWANTED_RELATIONS.map((relation) => `--no-${relation}`);
  const args = [...options, "depends", "--recurse", ...without, ...packages];
  const lines = printed(`asking what ${name} needs`, "apt-cache", args).split("\n");
  return lines.filter((line) => /^[a-z0-9]/.test(line) && !UNWANTED_PACKAGES.test(line));
}

/** For an apt that knows sid and nothing else, after its list has been fetched. */
function sidOptions() {
  const sources = join(APT, "sources.list");
  mkdirSync(join(APT, "lists", "partial"), { recursive: true });
  mkdirSync(join(APT, "cache", "archives", "partial"), { recursive: true });
  const settings = {
    "Dir::Etc::SourceList": sources,
    "Dir::Etc::SourceParts": "-",
    "Dir::State::Lists": join(APT, "lists"),
    "Dir::Cache": join(APT, "cache"),
    // Images of containers switch it off, and every call would read the list anew.
    "Dir::Cache::pkgcache": "pkgcache.bin",
    "Acquire::Languages": "none",
    // Its own user cannot write to a clone in root's home.
    "APT::Sandbox::User": "root",
    "APT::Update::Error-Mode": "any",
  };
  const options = ["-qq", ...Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`])];
  fetchList(sources, options);
  return options;
}

/** From the first mirror that has it: a folder of Debian's name may hold another's packages for Debian. */
function fetchList(sources, options) {
  let failure = new StepError("apt is set up with no mirror of Debian", 1);
  const keyring = KEYRINGS.find((file) => existsSync(file));
  const signedBy = keyring === undefined ? "" : `[signed-by=${keyring}] `;
  for (const mirror of debianMirrors()) {
    writeFileSync(sources, `deb ${signedBy}${mirror} sid main\n`);
    try {
      return run("fetching the list of Debian's packages", "apt-get", [...options, "update"]);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

function debianMirrors() {
  const text = printed("asking apt for its mirrors", "apt-get", ["update", "--print-uris"]);
  const found = [...text.matchAll(/^'(\S*debian\S*)\/dists\/\S+\/InRelease'/gm)].map(([, uri]) => uri);
  return [...new Set(found)].filter((uri) => !uri.includes("security"));
}
