import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { projectDirectory } from "./layout.ts"
import { stoppers, testPlan } from "./test-plan.ts"

const files = readdirSync(join(projectDirectory, "test"), { recursive: true, encoding: "utf8" })
  .map((file) => join("test", file))
  .filter((file) => /\.(cdc|e2e)\.test\.ts$/.test(file))

test("keeps every file that stops a server of the stack away from the others", () => {
  const stopping = files.filter((file) =>
    readFileSync(join(projectDirectory, file), "utf8").includes("stackParts("),
  )
  expect(Object.values(stoppers).flat().sort()).toEqual(stopping.sort())
})

test("runs every project", () => {
  const projects = testPlan.flat().flatMap(({ args }) => args.filter((arg) => arg.startsWith("--project=")))
  expect([...new Set(projects)].sort()).toEqual(
    ["cdc", "e2e", "pg", "redis", "unit"].map((name) => `--project=${name}`),
  )
})
