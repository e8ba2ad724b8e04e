// Java and Maven for the S3 server of the tests: this machine's own, or else those of Debian's sid, unpacked under .cache/.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { fetchFromDebian, isComplete, placeOf } from "./debian-packages.mjs";
import { run, say } from "./steps.mjs";

const JAVA_MIN = 17;
const VERSION = 21;
const UNPACKED = {
  name: "Java and Maven",
  folder: "java",
  packages: [`openjdk-${VERSION}-jre-headless`, "maven", "ca-certificates", "openssl"],
  // Another Java in its place, windows and their fonts, and what belongs to a system that is installed.
  unwanted: new RegExp(
    `perl|^(openjdk-(?!${VERSION}-)|default-jre|fonts-|xfonts|x11|libx|libcups|fontconfig|libavahi|libfontconfig|libfreetype|libgssapi|libkrb|libk5|c?debconf|util-linux|libpam|libsystemd|libudev|lsb|sysvinit)`,
  ),
  programs: ["java", "trusted.p12", "usr/share/maven/boot/plexus-classworlds-2.x.jar"],
  finish(root) {
    relink(root);
    writeLauncher(root);
    trustAuthorities(root);
  },
};

/** Fetches them where this machine's own are missing or too old. `forMaven`: Maven is needed too. */
export function ensureJava({ forMaven }) {
  if (isComplete(placeOf(UNPACKED), UNPACKED)) return;
  if (ownJava() >= JAVA_MIN && (!forMaven || ownMaven())) return;
  say(`install: ${UNPACKED.name}, from Debian's sid into .cache/`);
  fetchFromDebian([UNPACKED]);
}

/** Runs Maven to its end in `cwd`. */
export function runMaven(step, args, cwd) {
  const place = placeOf(UNPACKED);
  if (!isComplete(place, UNPACKED)) return run(step, "mvn", args, { cwd });
  const home = join(place, "usr", "share", "maven");
  const properties = {
    "classworlds.conf": join(home, "bin", "m2.conf"),
    "maven.home": home,
    "maven.multiModuleProjectDirectory": cwd,
    "javax.net.ssl.trustStore": join(place, "trusted.p12"),
    "javax.net.ssl.trustStorePassword": PASSWORD,
  };
  const system = Object.entries(properties).map(([name, value]) => `-D${name}=${value}`);
  const classes = ["-classpath", join(home, "boot", "plexus-classworlds-2.x.jar")];
  const main = "org.codehaus.plexus.classworlds.launcher.Launcher";
  run(step, join(place, "java"), [...system, ...classes, main, ...args], { cwd });
}

/** 0: none. */
function ownJava() {
  // Of "21.0.2" the first number; before 9 it was "1.8".
  const { stderr } = spawnSync("java", ["-version"], { encoding: "utf8" });
  return Number(/version "(\d+)/.exec(stderr ?? "")?.[1] ?? 0);
}

function ownMaven() {
  return spawnSync("mvn", ["-version"], { stdio: "ignore" }).status === 0;
}

/** Links of packages lead to where they would have been installed: from now on to the file in the folder, where it is there. */
function relink(root) {
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) continue;
    const path = join(entry.parentPath, entry.name);
    const target = readlinkSync(path);
    if (!target.startsWith("/") || !existsSync(join(root, target))) continue;
    rmSync(path);
    symlinkSync(relative(dirname(path), join(root, target)), path);
  }
}

/** `java` in the folder: by the loader and libraries that were fetched with it. */
function writeLauncher(root) {
  const jvm = readdirSync(join(root, "usr", "lib", "jvm")).find((name) =>
    existsSync(join(root, "usr", "lib", "jvm", name, "bin", "java")),
  );
  const lines = [
    "#!/bin/sh",
    'root=$(dirname "$(readlink -f "$0")")',
    `exec "$root/${loaderIn(root)}" --library-path "$root/${dirname(loaderIn(root))}" "$root/usr/lib/jvm/${jvm}/bin/java" "$@"`,
  ];
  writeFileSync(join(root, "java"), `${lines.join("\n")}\n`);
  chmodSync(join(root, "java"), 0o755);
}

/** It keeps no secret. */
const PASSWORD = "changeit";

/** Whom Java trusts over TLS: an installation would put that together from this machine's authorities. */
function trustAuthorities(root) {
  const own = "/etc/ssl/certs/ca-certificates.crt";
  const folder = join(root, "usr", "share", "ca-certificates", "mozilla");
  const bundle = join(root, "trusted.pem");
  if (existsSync(own)) writeFileSync(bundle, readFileSync(own));
  else
    writeFileSync(
      bundle,
      readdirSync(folder)
        .map((name) => readFileSync(join(folder, name), "utf8"))
        .join("\n"),
    );
  const openssl = ["--library-path", join(root, dirname(loaderIn(root))), join(root, "usr", "bin", "openssl")];
  const store = ["-out", join(root, "trusted.p12"), "-passout", `pass:${PASSWORD}`, "-jdktrust", "anyExtendedKeyUsage"];
  run("naming the authorities", join(root, loaderIn(root)), [
    ...openssl,
    "pkcs12",
    "-export",
    "-nokeys",
    "-in",
    bundle,
    ...store,
  ]);
}

/** The folder of the libraries is named after the machine's architecture. */
function loaderIn(root) {
  for (const name of readdirSync(join(root, "usr", "lib")))
    if (/-linux-gnu/.test(name))
      for (const file of readdirSync(join(root, "usr", "lib", name)))
        if (/^ld-linux.*\.so\.\d+$/.test(file)) return join("usr", "lib", name, file);
  return "no-loader";
}
