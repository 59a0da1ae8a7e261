import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { defineConfig } from "vitest/config"
import { TestOrder } from "./test/stack/test-order.ts"

// One project per suffix: the suffix says what must run before the file can.
// `unit` needs nothing; every other project asks test/stack for its part of the real stack. Where no stack runs, `pg` and
// `redis` start the databases that they need.
const project = (name: string, include: readonly string[], more: object = {}) => ({
  test: { name, include: [...include], testTimeout: 60_000, hookTimeout: 180_000, ...more },
})

const ownDatabases = { globalSetup: ["test/stack/own-databases.ts"] }

// A file of `cdc` has databases, connector and topics of its own and runs beside others. A file that stops a server of
// the stack (through stackParts) has the stack to itself: project `alone`, after all others.
const alone = readdirSync(join(import.meta.dirname, "test"), { recursive: true, encoding: "utf8" })
  .map((file) => join("test", file))
  .filter(
    (file) =>
      file.endsWith(".cdc.test.ts") &&
      readFileSync(join(import.meta.dirname, file), "utf8").includes("stackParts("),
  )

export default defineConfig({
  test: {
    // More than two processors: most tests of a stack wait for one of its servers.
    maxWorkers: 3,
    sequence: { sequencer: TestOrder },
    projects: [
      project("unit", ["test/**/*.test.ts"], {
        exclude: ["test/**/*.{pg,redis,cdc,e2e}.test.ts", "node_modules/**"],
        testTimeout: 30_000,
      }),
      project("pg", ["test/**/*.pg.test.ts"], ownDatabases),
      project("redis", ["test/**/*.redis.test.ts"], ownDatabases),
      project("cdc", ["test/**/*.cdc.test.ts"], { testTimeout: 600_000, exclude: alone }),
      project("alone", alone, { testTimeout: 600_000, fileParallelism: false }),
      project("e2e", ["test/**/*.e2e.test.ts"], { testTimeout: 300_000 }),
    ],
  },
})
