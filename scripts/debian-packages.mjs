// Programs of Debian, from the mirror that apt is set up with, unpacked under .cache/. That installs nothing, needs no
// root and leaves apt's own lists alone. They run beside this machine's libraries, by a loader and libraries that are fetched
// with them.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { printed, root, run, StepError } from "./steps.mjs";

const CACHE = join(root, ".cache");
/** apt's lists and packages, while we fetch. */
const APT = join(CACHE, "apt");
const KEYRINGS = ["gpg", "pgp"].map((suffix) => `/usr/share/keyrings/debian-archive-keyring.${suffix}`);
const UNWANTED_RELATIONS = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"];
/** Large, and for scripts that nobody calls here. */
const UNWANTED_PACKAGES = /perl/;

/** Where what was fetched is. */
export function placeOf({ folder }) {
  return join(CACHE, folder);
}

/** Whether all its programs are in the folder that it was unpacked into. */
export function isComplete(place, { programs }) {
  return programs.every((program) => existsSync(join(place, program)));
}

/**
 * Fetches `packages` with all they need, for each of `wanted` into a folder of its own: from sid unless `suite` names another
 * one. `unwanted` says what they are said to need besides, and `finish` may add to the unpacked folder.
 */
export function fetchFromDebian(wanted) {
  const suiteOf = ({ suite = "sid" }) => suite;
  const suites = new Set(wanted.map(suiteOf));
  for (const suite of suites)
    fetchFromSuite(
      suite,
      wanted.filter((each) => suiteOf(each) === suite),
    );
}

function fetchFromSuite(suite, wanted) {
  rmSync(APT, { recursive: true, force: true });
  try {
    const options = optionsFor(suite);
    for (const each of wanted) fetchOne(each, options);
  } finally {
    rmSync(APT, { recursive: true, force: true });
  }
}

function fetchOne(wanted, options) {
  const place = placeOf(wanted);
  const [unfinished, packages] = [`${place}.unfinished`, join(APT, wanted.folder)];
  for (const folder of [unfinished, place]) rmSync(folder, { recursive: true, force: true });
  for (const folder of [unfinished, packages]) mkdirSync(folder);
  const names = withAllTheyNeed(wanted, options);
  run(`fetching ${wanted.name}`, "apt-get", [...options, "download", ...names], { cwd: packages });
  for (const file of readdirSync(packages)) run(`unpacking ${file}`, "dpkg", ["-x", join(packages, file), unfinished]);
  wanted.finish?.(unfinished);
  if (!isComplete(unfinished, wanted)) throw new StepError(`${names.join(" ")}: a program is missing in them`, 1);
  renameSync(unfinished, place);
}

/** The C library too. */
function withAllTheyNeed({ name, packages, unwanted = UNWANTED_PACKAGES }, options) {
  const without = UNWANTED_RELATIONS.map((relation) => `--no-${relation}`);
  const args = [...options, "depends", "--recurse", ...without, ...packages];
  const lines = printed(`asking what ${name} needs`, "apt-cache", args).split("\n");
  return lines.filter((line) => /^[a-z0-9]/.test(line) && !unwanted.test(line));
}

/** For an apt that knows that suite and nothing else, after its list has been fetched. */
function optionsFor(suite) {
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
  fetchList(suite, sources, options);
  return options;
}

/** From the first mirror that has it: a folder of Debian's name may hold another's packages for Debian. */
function fetchList(suite, sources, options) {
  let failure = new StepError("apt is set up with no mirror of Debian", 1);
  const keyring = KEYRINGS.find((file) => existsSync(file));
  const signedBy = keyring === undefined ? "" : `[signed-by=${keyring}] `;
  for (const mirror of debianMirrors()) {
    writeFileSync(sources, `deb ${signedBy}${mirror} ${suite} main\n`);
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
