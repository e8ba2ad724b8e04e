// The S3 server for tests: S3Proxy over a folder, from Maven Central into .cache/.
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ensureJava, runMaven } from "./java.mjs";
import { root, say, StepError } from "./steps.mjs";

const VERSION = "3.0.0";
const VARIABLE = "MILLRACE_TEST_S3_URL";
const place = join(root, ".cache", "s3proxy");
const JAR = join("lib", `s3proxy-${VERSION}.jar`);

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

/** Fetches the server, and what runs it, where none is named by its variable and it is not there already. */
export function ensureS3Server() {
  if (process.env[VARIABLE]) return;
  const isThere = existsSync(join(place, JAR));
  try {
    ensureJava({ forMaven: !isThere });
    if (!isThere) fetchServer();
  } catch (error) {
    throw error instanceof StepError ? new StepError(`${error.message}\n${WAY_OUT}`, error.exitCode) : error;
  }
}

const WAY_OUT = `Tests need an S3 server: S3Proxy, by Java and Maven, which are fetched from Debian where they are missing. Elsewhere name a server for ${VARIABLE}: http://KEY:SECRET@HOST:PORT.`;

function fetchServer() {
  say(`install: S3Proxy ${VERSION}, from Maven Central into .cache/s3proxy`);
  const unfinished = `${place}.unfinished`;
  for (const folder of [unfinished, place]) rmSync(folder, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  writeFileSync(join(unfinished, "pom.xml"), POM);
  const goal = ["-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=lib"];
  runMaven("fetching S3Proxy", goal, unfinished);
  if (!existsSync(join(unfinished, JAR))) throw new StepError("Maven fetched no S3Proxy", 1);
  renameSync(unfinished, place);
}
