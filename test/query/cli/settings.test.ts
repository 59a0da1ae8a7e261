// Where a verb's settings come from: the environment, then the stack that runs in the checkout.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, test } from "vitest"
import { z } from "zod"
import {
  parseSettings,
  readSettings,
  UnusableSettings,
  whereSettingsCome,
} from "../../../query/cli/settings.ts"

const directory = `${mkdtempSync(join(tmpdir(), "lockstep-settings-"))}/`
mkdirSync(join(directory, ".stack"))
const environment = { REDIS_URL: "redis://stack", KAFKA_BROKERS: "stack:9092" }
writeFileSync(join(directory, ".stack/endpoints.json"), JSON.stringify({ stack: "native", environment }))
const idle = mkdtempSync(join(tmpdir(), "lockstep-settings-"))
afterAll(() => {
  rmSync(directory, { recursive: true })
  rmSync(idle, { recursive: true })
})

describe("settings", () => {
  test("that the environment does not hold are those of the running stack", () => {
    expect(readSettings({ REDIS_URL: "redis://mine" }, directory)).toEqual({
      REDIS_URL: "redis://mine",
      KAFKA_BROKERS: "stack:9092",
    })
  })

  test.each([
    { where: "in a checkout without a running stack", from: `${idle}/` },
    { where: "in an image", from: null },
  ])("are the environment's alone $where", ({ from }) => {
    expect(readSettings({ REDIS_URL: "redis://mine" }, from)).toEqual({ REDIS_URL: "redis://mine" })
  })

  test("are told by name when they cannot be used, and their values are not", () => {
    const schema = z.object({ CONNECT_URL: z.url(), KAFKA_BROKERS: z.string() })
    const parse = () => parseSettings(schema, { CONNECT_URL: "secret" })
    expect(parse).toThrow(UnusableSettings)
    expect(parse).toThrow(/ {2}CONNECT_URL: Invalid URL\n {2}KAFKA_BROKERS: not set$/)
    expect(parse).not.toThrow(/secret/)
  })
})

test("the next step after missing settings can be typed where the reader stands", () => {
  expect(whereSettingsCome(directory)).toContain("npm start")
  expect(whereSettingsCome(null)).toContain("docker compose run --rm lockstep")
})
