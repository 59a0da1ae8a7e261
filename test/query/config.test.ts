import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, onTestFinished, test } from "vitest"
import { describeConfig, loadConfig } from "../../query/config.ts"

const common = { REDIS_URL: "redis://cache:6379" }
const reading = { READER_DATABASE_URL: "postgres://reader:secret-1@reads/reads" }
const projecting = {
  PROJECTOR_DATABASE_URL: "postgres://projector:secret-2@reads/reads",
  KAFKA_BROKERS: "one:9092, two:9092",
  SCHEMA_REGISTRY_URL: "http://registry:8080",
  CONNECT_URL: "http://connect:8083",
}
const one = { SOURCE_DATABASE_URL: "postgres://base_loader:secret-3@orders/orders" }
const everything = { ...common, ...reading, ...projecting, ...one }

const source = (name: string, more: object = {}) => ({
  name,
  databaseUrl: `postgres://base_loader:secret-4@${name}/orders`,
  connectorName: name,
  topicPrefix: name,
  ...more,
})
const listed = (...sources: object[]) => ({
  ...common,
  ...reading,
  ...projecting,
  SOURCES: JSON.stringify(sources),
})

describe("roles", () => {
  test("does both with everything set, and stays when it halts", () => {
    const config = loadConfig(everything)
    expect(config).toMatchObject({ role: "all", sources: ["orders"] })
    expect(config.serving).toEqual({ databaseUrl: reading.READER_DATABASE_URL, maxConnections: 20 })
    expect(config.projecting).toMatchObject({
      kafkaBrokers: ["one:9092", "two:9092"],
      leaseMs: 10_000,
      onHalt: "stay",
      sources: [
        {
          name: "orders",
          databaseUrl: one.SOURCE_DATABASE_URL,
          connectorName: "orders",
          topicPrefix: "ecommerce",
          connectUrl: projecting.CONNECT_URL,
        },
      ],
    })
  })

  test("demands nothing of a projector from an instance that only answers", () => {
    const config = loadConfig({ ...common, ...reading, ROLE: "http" })
    expect(config).toMatchObject({ role: "http", projecting: null, sources: ["orders"] })
  })

  test("demands no reader of an instance that only projects, which ends when it halts", () => {
    const config = loadConfig({ ...common, ...projecting, ...one, ROLE: "projector" })
    expect(config).toMatchObject({ role: "projector", serving: null, projecting: { onHalt: "exit" } })
  })

  test("takes a said preference about halts in either", () => {
    expect(loadConfig({ ...everything, ON_HALT: "exit" }).projecting?.onHalt).toBe("exit")
    expect(loadConfig({ ...everything, ROLE: "projector", ON_HALT: "stay" }).projecting?.onHalt).toBe("stay")
  })

  test("names every fault of all parts at once", () => {
    const load = () => loadConfig({ ...reading, ROLE: "both", QUERY_PORT: "x", LEASE_SECONDS: "0" })
    for (const name of [
      "ROLE",
      "QUERY_PORT",
      "REDIS_URL",
      "KAFKA_BROKERS",
      "LEASE_SECONDS",
      "SOURCE_DATABASE_URL",
    ])
      expect(load).toThrow(name)
  })
})

describe("several sources", () => {
  test("come as JSON, the first one first, with a Kafka Connect of their own if they like", () => {
    const config = loadConfig(listed(source("east"), source("west", { connectUrl: "http://other:8083" })))
    expect(config.sources).toEqual(["east", "west"])
    expect(config.projecting?.sources).toEqual([
      source("east", { connectUrl: "http://connect:8083" }),
      source("west", { connectUrl: "http://other:8083" }),
    ])
  })

  test("may be in a file", () => {
    const directory = mkdtempSync(join(tmpdir(), "sources-"))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    const file = join(directory, "sources.json")
    writeFileSync(file, JSON.stringify([source("east")]))
    const { SOURCES: _, ...env } = listed()
    expect(loadConfig({ ...env, SOURCES_FILE: file }).sources).toEqual(["east"])
    expect(() => loadConfig({ ...listed(), SOURCES_FILE: file })).toThrow("only one of them")
    expect(() => loadConfig({ ...env, SOURCES_FILE: join(directory, "none") })).toThrow("ENOENT")
  })

  test("need only their names where nothing is projected, and are taken with more", () => {
    const env = { ...common, ...reading, ROLE: "http" }
    const SOURCES = JSON.stringify([{ name: "east" }, source("west")])
    expect(loadConfig({ ...env, SOURCES })).toMatchObject({ sources: ["east", "west"], projecting: null })
  })

  test.each([
    ["name", source("west", { name: "east" })],
    ["topicPrefix", source("west", { topicPrefix: "east" })],
    ["databaseUrl", source("west", { databaseUrl: source("east").databaseUrl })],
    ["connectorName", source("west", { connectorName: "east" })],
  ])("are refused when two have the same %s", (field, second) => {
    expect(() => loadConfig(listed(source("east"), second))).toThrow(
      new RegExp(`must differ from the other sources'[^]*\\[1\\]\\.${field}`),
    )
  })

  test.each([
    ["no JSON", "[{name: east}]", "must be JSON"],
    ["an empty list", "[]", "Too small"],
    ["a member that nobody knows", JSON.stringify([source("east", { slot: "x" })]), "slot"],
    ["a missing member", JSON.stringify([{ ...source("east"), topicPrefix: undefined }]), "topicPrefix"],
  ])("are refused with %s, without showing a value", (_, SOURCES, fault) => {
    const load = () => loadConfig({ ...listed(), SOURCES })
    expect(load).toThrow(fault)
    expect(load).not.toThrow("secret")
  })
})

test("prints no password", () => {
  const printed = JSON.stringify(describeConfig(loadConfig(listed(source("east"), source("west")))))
  expect(printed).not.toContain("secret")
  expect(printed).toContain("postgres://reader:***@reads/reads")
})
