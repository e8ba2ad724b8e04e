import { defineConfig, type ViteUserConfig } from "vitest/config";

const postgres = { globalSetup: ["test/support/postgres-setup.ts"], testTimeout: 60_000, hookTimeout: 60_000 };
const mysql = { globalSetup: ["test/support/mysql-setup.ts"], testTimeout: 60_000, hookTimeout: 60_000 };
const redis = { globalSetup: ["test/support/redis-setup.ts"], testTimeout: 60_000, hookTimeout: 60_000 };

// As src/cli/main.ts does it.
const env = { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true" };
const s3 = { globalSetup: ["test/support/s3-setup.ts"] };

const config: ViteUserConfig = defineConfig({
  test: {
    // Two cores is what the smallest machine has. Tests wait for servers, disks and processes for half of their time.
    maxWorkers: 3,
    retry: 0,
    projects: [
      {
        test: {
          name: "unit",
          include: ["src/**/*.test.ts", "test/support/**/*.test.ts", "test/fuzz/**/*.test.ts"],
          exclude: ["**/*.pg.test.ts", "**/*.mysql.test.ts", "**/*.redis.test.ts"],
          testTimeout: 20_000,
        },
      },
      { test: { name: "tidy", include: ["test/tidy.test.ts"], testTimeout: 60_000 } },
      { test: { name: "pg", include: ["src/**/*.pg.test.ts", "test/support/**/*.pg.test.ts"], ...postgres } },
      { test: { name: "mysql", include: ["src/**/*.mysql.test.ts", "test/support/**/*.mysql.test.ts"], ...mysql } },
      { test: { name: "redis", include: ["src/**/*.redis.test.ts", "test/support/**/*.redis.test.ts"], ...redis } },
      { test: { name: "simulation", include: ["test/simulation/**/*.test.ts"], testTimeout: 300_000 } },
      {
        test: {
          name: "conformance",
          include: ["test/conformance/**/*.test.ts"],
          ...postgres,
          globalSetup: [...postgres.globalSetup, ...redis.globalSetup, ...s3.globalSetup],
          env,
        },
      },
      {
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          ...postgres,
          globalSetup: [...postgres.globalSetup, ...mysql.globalSetup, ...redis.globalSetup, ...s3.globalSetup],
          env,
          testTimeout: 240_000,
        },
      },
    ],
  },
});

export default config;
