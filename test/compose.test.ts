// docker-compose.yml without an engine: that it can start at all, in the right order, closed to the outside, and that
// every service gets the settings that its own configuration demands.
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, test } from "vitest"
import { parse } from "yaml"
import { z } from "zod"
import { loadConfig as loadCommandConfig } from "../command/config.ts"
import { connectorsConfig } from "../connectors/config.ts"
import { loadConfig as loadQueryConfig } from "../query/config.ts"
import { readExample } from "./support/env-example.ts"

const root = fileURLToPath(new URL("..", import.meta.url))
const read = (path: string) => readFileSync(join(root, path), "utf8")

const command = z.union([z.string(), z.array(z.string())])
const serviceSchema = z.strictObject({
  image: z.string(),
  build: z.strictObject({ context: z.literal("."), dockerfile: z.string() }).optional(),
  command: command.optional(),
  entrypoint: z.array(z.string()).optional(),
  profiles: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).default({}),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  depends_on: z
    .record(
      z.string(),
      z.strictObject({ condition: z.enum(["service_healthy", "service_completed_successfully"]) }),
    )
    .default({}),
  healthcheck: z
    .strictObject({
      test: z.array(z.string()).min(2),
      interval: z.string(),
      timeout: z.string(),
      retries: z.number(),
    })
    .optional(),
  restart: z.enum(["unless-stopped", "no"]),
  init: z.boolean().optional(),
  stop_signal: z.string().optional(),
  stop_grace_period: z.string().optional(),
})
const composeSchema = z.looseObject({
  name: z.literal("lockstep"),
  services: z.record(z.string(), serviceSchema),
  volumes: z.record(z.string(), z.null()),
})

const compose = composeSchema.parse(parse(read("docker-compose.yml"), { merge: true }))
const services = Object.entries(compose.services)
const isOneShot = (name: string) => compose.services[name]?.restart === "no"

/** What a container gets to see, with the values of `.env.example`. */
function environmentOf(name: string): Record<string, string> {
  const example = readExample()
  const resolve = (value: string) =>
    value.replace(/\$\{([A-Z0-9_]+)(?::[-?]([^}]*))?\}/g, (_, variable: string, otherwise = "") =>
      String(example[variable] ?? otherwise),
    )
  const given = compose.services[name]?.environment ?? {}
  return Object.fromEntries(Object.entries(given).map(([key, value]) => [key, resolve(value)]))
}

describe("order", () => {
  test.each(services)("%s has a health check, unless it runs once", (name, service) => {
    expect(service.healthcheck !== undefined, name).toBe(!isOneShot(name))
  })

  test.each(services)("%s waits for services that can reach the awaited condition", (_, service) => {
    for (const [dependency, { condition }] of Object.entries(service.depends_on)) {
      const awaited = compose.services[dependency]
      expect(awaited, dependency).toBeDefined()
      const reaches = isOneShot(dependency) ? "service_completed_successfully" : "service_healthy"
      expect(condition, dependency).toBe(reaches)
    }
  })

  test("nobody captures before the migrations, and nobody queries before the connector is registered", () => {
    expect(compose.services.register?.depends_on).toHaveProperty("migrate")
    expect(compose.services.query?.depends_on).toHaveProperty("register")
    expect(compose.services.command?.depends_on).toHaveProperty("migrate")
  })
})

describe("safety", () => {
  test.each(services)("%s publishes its ports on the loopback address only", (_, { ports }) => {
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/)
  })

  test.each(services)("%s names an exact version of its image", (_, { image }) => {
    expect(image).toMatch(/:v?\d+\.\d+/)
  })

  test("no password stands in the file", () => {
    for (const [name, { environment }] of services) {
      for (const [key, value] of Object.entries(environment)) {
        if (/PASSWORD/.test(key)) expect(value, `${name} ${key}`).toMatch(/^\$\{[A-Z_]+:\?/)
        if (/^postgres:/.test(value)) expect(value, `${name} ${key}`).toMatch(/:\$\{[A-Z_]+:\?[^}]*\}@/)
      }
    }
  })

  test("every published port and every volume is used once", () => {
    const ports = services.flatMap(([, { ports: published }]) => published)
    expect(new Set(ports).size).toBe(ports.length)
    const mounted = services.flatMap(([, { volumes }]) => volumes.map((volume) => volume.split(":")[0] ?? ""))
    expect(mounted.toSorted()).toEqual(Object.keys(compose.volumes).toSorted())
  })
})

describe("images", () => {
  const built = services.flatMap(([name, { build }]) => (build === undefined ? [] : [{ name, ...build }]))

  test.each(built)(
    "$name is built from exact versions and runs as a user without rights",
    ({ dockerfile }) => {
      expect(existsSync(join(root, dockerfile))).toBe(true)
      const text = read(dockerfile)
      const stages = text.split(/^(?=FROM )/m).slice(1)
      for (const stage of stages) expect(stage).toMatch(/^FROM [\w./-]+:\d+\.\d+/)
      const last = stages.at(-1)
      const user = /^USER (\S+)$/m.exec(last ?? "")?.[1]
      expect(user).toMatch(/^(node|connect)$/)
      expect(last).toMatch(/^(CMD|ENTRYPOINT) \[/m)
    },
  )

  test.each(built)("$name copies only what .dockerignore lets through", ({ dockerfile }) => {
    const allowed = read(".dockerignore")
      .split("\n")
      .filter((line) => line.startsWith("!"))
      .map((line) => line.slice(1))
    for (const [, from = ""] of read(dockerfile).matchAll(/^COPY (?!--from)(.+) \S+$/gm)) {
      for (const source of from.split(" ")) expect(allowed, source).toContain(source.split("/")[0])
    }
  })

  test("services that share an image are built the same way", () => {
    for (const [, { image, build }] of services) {
      for (const [, other] of services) if (other.image === image) expect(other.build).toEqual(build)
    }
  })
})

describe("settings", () => {
  test("the services and programs accept what they are given", () => {
    expect(() => loadCommandConfig(environmentOf("command"))).not.toThrow()
    expect(() => loadQueryConfig(environmentOf("query"))).not.toThrow()
    expect(() => connectorsConfig.parse(environmentOf("register"))).not.toThrow()
  })

  test("every operation gets every setting without a default that a verb reads", () => {
    const readers = ["query/cli/db.ts", "query/cli/database.ts", "connectors/config.ts"].map(read).join("\n")
    const required = [...readers.matchAll(/^ {2}([A-Z_]+): (?!.*\.(?:default|optional)\()/gm)].map(
      ([, name = ""]) => name,
    )
    expect(required).toEqual(expect.arrayContaining(["READER_PASSWORD", "REDIS_URL", "CONNECT_URL"]))
    for (const name of ["migrate", "register", "lockstep"]) {
      expect(Object.keys(environmentOf(name)), name).toEqual(expect.arrayContaining(required))
    }
  })

  test("the worker gets every variable that the connector's settings and its own name", () => {
    const named = [read("connectors/orders.json"), read("connectors/worker/worker.properties")].flatMap(
      (text) => [...text.matchAll(/\$\{env:([A-Z0-9_]+)\}/g)].map(([, name = ""]) => name),
    )
    expect(Object.keys(environmentOf("connect"))).toEqual(expect.arrayContaining(named))
    const allowed = /allowlist\.pattern=(.+)$/m.exec(read("connectors/worker/worker.properties"))?.[1] ?? "$."
    for (const name of named) expect(name).toMatch(new RegExp(`^(?:${allowed})$`))
  })

  test("every address points to a service of this file", () => {
    for (const [name] of services) {
      for (const [key, value] of Object.entries(environmentOf(name))) {
        const host = /^(?:[a-z]+:\/\/)?(?:[^@/]*@)?([a-z-]+):\d+/.exec(value)?.[1]
        if (host !== undefined) expect(Object.keys(compose.services), `${name} ${key}`).toContain(host)
      }
    }
  })

  test("the command database can be captured from", () => {
    const settings = String(compose.services["command-database"]?.command)
    for (const setting of ["wal_level=logical", "track_commit_timestamp=on", "max_replication_slots=20"]) {
      expect(settings).toContain(setting)
    }
  })
})

const composePlugin = spawnSync("docker", ["compose", "version"], { stdio: "ignore" }).status === 0

// Only where the plugin is: elsewhere there is nothing to ask, and a test that asks nothing would prove nothing.
if (composePlugin) {
  test("docker compose itself accepts the file", () => {
    const run = spawnSync("docker", ["compose", "--env-file", ".env.example", "config", "-q"], { cwd: root })
    expect(run.stderr.toString()).toBe("")
    expect(run.status).toBe(0)
  })
}
