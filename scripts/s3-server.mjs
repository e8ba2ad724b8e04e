// The S3 server for tests: S3Proxy over a folder, from Maven Central into .cache/. It is started by `java`.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, run, say, StepError } from "./steps.mjs";

const VERSION = "3.0.0";
const VARIABLE = "MILLRACE_TEST_S3_URL";
const JAVA_MIN = 17;
const place = join(root, ".cache", "s3proxy");

const POM = `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>millrace</groupId>
  <artifactId>s3-server</artifactId>
  <version>1</version>
  <dependencies>
    <dependency><groupId>org.gaul</groupId><artifactId>s3proxy</artifactId><version>${VERSION}</version></dependency>
  </dependencies>
</project>
`;

/** Fetches the server where none is named by its variable and it is not there already. */
export function ensureS3Server() {
  if (process.env[VARIABLE]) return;
  checkPrograms(existsSync(join(place, "lib", `s3proxy-${VERSION}.jar`)) ? ["java"] : ["java", "mvn"]);
  if (existsSync(join(place, "lib", `s3proxy-${VERSION}.jar`))) return;
  say(`install: S3Proxy ${VERSION}, from Maven Central into .cache/s3proxy`);
  const unfinished = `${place}.unfinished`;
  for (const folder of [unfinished, place]) rmSync(folder, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  writeFileSync(join(unfinished, "pom.xml"), POM);
  const goal = ["-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=lib"];
  run("fetching S3Proxy", "mvn", goal, { cwd: unfinished });
  if (!readdirSync(join(unfinished, "lib")).includes(`s3proxy-${VERSION}.jar`))
    throw new StepError("Maven fetched no S3Proxy", 1);
  renameSync(unfinished, place);
}

function checkPrograms(programs) {
  const missing = programs.filter(
    (program) => spawnSync(program, ["-version"], { stdio: "ignore" }).error !== undefined,
  );
  if (missing.length > 0) throw new StepError(`${missing.join(" and ")} cannot be found. ${wayOut()}`, 1);
  // Of "21.0.2" the first number; before 9 it was "1.8".
  const { stderr } = spawnSync("java", ["-version"], { encoding: "utf8" });
  const version = Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0);
  if (version < JAVA_MIN) throw new StepError(`java is of version ${version}. ${wayOut()}`, 1);
}

function wayOut() {
  return `Tests need an S3 server: S3Proxy, which takes Java ${JAVA_MIN} or later (Debian: default-jre-headless) and, to be fetched, Maven (maven). Elsewhere name a server of which nothing depends: ${VARIABLE}=http://KEY:SECRET@HOST:PORT.`;
}
