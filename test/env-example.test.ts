// `.env.example` is where an operator learns what can be set: it must name what the programs read, no more, no less.
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, test } from "vitest"
import { loadConfig as loadCommandConfig } from "../command/config.ts"
import { connectorsConfig } from "../connectors/config.ts"
import { loadConfig as loadQueryConfig } from "../query/config.ts"
import { readExample } from "./support/env-example.ts"

const root = fileURLToPath(new URL("..", import.meta.url))
const read = (path: string) => readFileSync(join(root, path), "utf8")

const sources = ["command", "query", "connectors", "db", "test/stack"].flatMap((directory) =>
  readdirSync(join(root, directory), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.startsWith("jars") && !path.includes("node_modules"))
    .map((path) => join(directory, path)),
)

const matches = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, name = ""]) => name)

/** Names that are read: keys of the zod objects that parse an environment, and placeholders of the other files. */
function namesRead(): Set<string> {
  const readers = sources
    .map(read)
    .filter((text) => /process\.env|\bparseSettings\(|\bconnectorsEnvironment\b/.test(text))
  return new Set([
    ...readers.flatMap((text) =>
      matches(text, /^ {2}([A-Z][A-Z0-9_]+): (?:z|port|url|postgresUrl|httpUrl)\b/gm),
    ),
    ...readers.flatMap((text) => matches(text, /^ {2}([A-Z][A-Z0-9_]+): \w+Schema\b/gm)),
    ...matches(read("connectors/orders.json"), /\$\{env:([A-Z0-9_]+)\}/g),
    ...matches(read("connectors/worker/worker.properties"), /\$\{env:([A-Z0-9_]+)\}/g),
    ...matches(read("docker-compose.yml"), /\$\{([A-Z0-9_]+)/g),
  ])
}

test(".env.example lists every variable that is read, and no other", () => {
  const listed = matches(read(".env.example"), /^(?:# )?([A-Z][A-Z0-9_]+)=/gm)
  expect(listed.toSorted()).toEqual([...namesRead()].toSorted())
})

test("the services and the connectors' programs accept the example as it stands", () => {
  const example = readExample()
  expect(loadCommandConfig(example)).toMatchObject({ port: 8080, host: "127.0.0.1" })
  expect(loadQueryConfig(example)).toMatchObject({
    port: 8081,
    projecting: { sources: [{ name: "orders", topicPrefix: "ecommerce" }] },
  })
  expect(connectorsConfig.parse(example)).toMatchObject({
    connectorName: "orders",
    slotName: "ecommerce_slot",
  })
})

test("the example shows the defaults", () => {
  const example = readExample()
  for (const path of ["command/config.ts", "query/config.ts", "connectors/config.ts"]) {
    for (const entry of read(path)
      .split(/^(?= {2}[A-Z][A-Z0-9_]+: )/m)
      .slice(1)) {
      const [, name = ""] = /^ {2}([A-Z0-9_]+):/.exec(entry) ?? []
      const [, value] = /^[^}]*?\.default\("?([^")]*)"?\)/.exec(entry) ?? []
      if (value !== undefined)
        expect(example[name], `${path} ${name}`).toBe(/^\d/.test(value) ? value.replaceAll("_", "") : value)
    }
  }
})

test("a role's password in a URL of the example is the one that the migrations would set", () => {
  const example = readExample()
  for (const [name, value] of Object.entries(example)) {
    if (!name.endsWith("_URL") || !value.startsWith("postgres:")) continue
    const { username, password } = new URL(value)
    const role = username === "postgres" ? "ADMIN" : username.toUpperCase()
    expect(password, name).toBe(example[`${role}_PASSWORD`])
  }
  expect(example.CAPTURE_DATABASE_PASSWORD).toBe(example.CAPTURE_PASSWORD)
})

test("only the readers of the environment touch process.env", () => {
  const readers = sources.filter((path) => read(path).includes("process.env"))
  expect(readers.filter((path) => path.startsWith("command/"))).toEqual(["command/config.ts"])
  expect(readers.filter((path) => path.startsWith("connectors/"))).toEqual([])
  expect(readers.filter((path) => path.startsWith("db/"))).toEqual([])
  expect(readers.filter((path) => path.startsWith("query/")).toSorted()).toEqual([
    "query/cli/settings.ts",
    "query/config.ts",
  ])
})
