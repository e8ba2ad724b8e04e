// Redis and Valkey for tests: the packages of Debian, unpacked under .cache/. Redis 7 is that of bookworm, since sid has left it
// behind.
import { fetchFromDebian, isComplete, placeOf } from "./debian-packages.mjs";
import { say, StepError } from "./steps.mjs";

const VARIABLE = "MILLRACE_TEST_REDIS_URL";
/** All but servers and libraries is for their installation. */
const UNWANTED = /^(?!lib|redis-|valkey-)|perl/;
const SERVERS = [
  {
    name: "Redis 7",
    folder: "redis7",
    suite: "bookworm",
    packages: ["redis-server", "redis-tools"],
    unwanted: UNWANTED,
    programs: ["usr/bin/redis-server", "usr/bin/redis-cli"],
  },
  {
    name: "Redis 8",
    folder: "redis8",
    packages: ["redis-server", "redis-tools"],
    unwanted: UNWANTED,
    programs: ["usr/bin/redis-server", "usr/bin/redis-cli"],
  },
  {
    name: "Valkey",
    folder: "valkey",
    packages: ["valkey-server", "valkey-tools"],
    unwanted: UNWANTED,
    programs: ["usr/bin/valkey-server", "usr/bin/valkey-cli"],
  },
];

/** Fetches each server that is not there already, where none is named by the variable. */
export function ensureRedisServers() {
  if (process.env[VARIABLE]) return;
  const missing = SERVERS.filter((server) => !isComplete(placeOf(server), server));
  if (missing.length === 0) return;
  const names = missing.map(({ name }) => name).join(", ");
  say(`install: ${names}, from Debian into .cache/`);
  try {
    fetchFromDebian(missing);
  } catch (error) {
    throw error instanceof StepError
      ? new StepError(`${error.message}\nTests need ${names}. ${WAY_OUT}`, error.exitCode)
      : error;
  }
}

const WAY_OUT = `To fetch them takes apt, dpkg and a mirror of Debian. Elsewhere start docker-compose.yml, which names the value for ${VARIABLE}.`;
