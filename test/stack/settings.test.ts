import { expect, test } from "vitest"
import { readSettings } from "./settings.ts"

test("has a default for everything", () => {
  expect(readSettings({})).toMatchObject({ COMMAND_PORT: 8080, QUERY_PORT: 8081, STACK_PARTS: "all" })
})

test("names every fault at once", () => {
  expect(() => readSettings({ STACK: "cloud", COMMAND_PORT: "70000" })).toThrow(/STACK: .*COMMAND_PORT: /)
})
