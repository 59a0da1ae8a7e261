import { defineConfig } from "vitest/config"
import { LongestFirst } from "./test/stack/test-plan.ts"

// One project per suffix: the suffix says what must run before the file can.
// `unit` needs nothing; every other project asks test/stack for its part of the real stack. Where no stack runs, `pg` and
// `redis` start the databases that they need. test/stack/test-plan.ts says what `npm test` runs beside what.
const project = (name: string, include: string, more: object = {}) => ({
  test: {
    name,
    include: [include],
    setupFiles: ["test/support/left-running.ts"],
    // Limits for tests that hang, not measures: files run beside each other, on machines that are busy.
    testTimeout: 120_000,
    hookTimeout: 300_000,
    ...more,
  },
})

const ownDatabases = { globalSetup: ["test/stack/own-databases.ts"] }

export default defineConfig({
  test: {
    // By default one less than the processors, which on two is one; many tests only wait for a server.
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    projects: [
      project("unit", "test/**/*.test.ts", {
        exclude: ["test/**/*.{pg,redis,cdc,e2e}.test.ts", "node_modules/**"],
      }),
      project("pg", "test/**/*.pg.test.ts", ownDatabases),
      project("redis", "test/**/*.redis.test.ts", ownDatabases),
      project("cdc", "test/**/*.cdc.test.ts", { testTimeout: 1_200_000, fileParallelism: false }),
      project("e2e", "test/**/*.e2e.test.ts", { testTimeout: 600_000, fileParallelism: false }),
    ],
  },
})
