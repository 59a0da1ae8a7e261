// The project's own images without an engine: folders with exactly the files that the Dockerfiles copy. The services
// start there as far as their settings let them, and every command that a message names can be typed there.
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { parse } from "yaml"
import { z } from "zod"
import { createProgram } from "../query/cli/program.ts"
import { projectDirectory } from "./stack/layout.ts"
import { makeImageFolder } from "./support/image-folder.ts"

const directory = mkdtempSync(join(tmpdir(), "lockstep-images-"))
const roots = { command: join(directory, "command"), query: join(directory, "query") }
let environment: Record<string, string>

beforeAll(() => {
  const dist = join(directory, "dist")
  const compiler = join(projectDirectory, "node_modules/typescript/bin/tsc")
  const built = spawnSync(process.execPath, [compiler, "-p", "tsconfig.build.json", "--outDir", dist], {
    cwd: projectDirectory,
    encoding: "utf8",
  })
  expect(built.stdout).toBe("")
  expect(built.status).toBe(0)
  makeImageFolder(roots.command, "command/Dockerfile", dist)
  environment = makeImageFolder(roots.query, "query/Dockerfile", dist)
})

afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** Runs a command in the folder of an image, without a registry of packages. */
function run(root: string, command: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: join(root, "app"),
    encoding: "utf8",
    env: {
      ...environment,
      HOME: join(directory, "nobody"),
      PATH: [join(root, "usr/local/bin"), process.env.PATH].join(delimiter),
      npm_config_prefix: join(root, "usr/local"),
      npm_config_registry: "http://127.0.0.1:9",
    },
  })
  return { status, stdout, stderr }
}

const verbs = (await createProgram()).commands.flatMap((noun) =>
  noun.commands.map((verb) => ({ noun: noun.name(), verb: verb.name() })),
)

describe("in the query image", () => {
  test("the operations of every noun can be asked for by their name", () => {
    // One process for each noun: its verbs are loaded together.
    for (const noun of new Set(verbs.map((one) => one.noun))) {
      const verb = verbs.find((one) => one.noun === noun)?.verb ?? ""
      const { status, stdout, stderr } = run(roots.query, "lockstep", noun, verb, "--help")
      expect({ status, stderr }, `${noun} ${verb}`).toEqual({ status: 0, stderr: "" })
      expect(stdout).toContain(`npx lockstep ${noun} ${verb}`)
    }
  }, 120_000)

  test("the words that messages print can be typed: npx lockstep", () => {
    const { status, stdout } = run(roots.query, "npx", "lockstep", "--version")
    expect({ status, stdout }).toEqual({ status: 0, stdout: "0.1.0\n" })
    const installed = join(environment.NPM_CONFIG_CACHE ?? "", "_npx")
    expect(existsSync(installed), "npx takes the program on PATH, it makes no package of the folder").toBe(
      false,
    )
  }, 120_000)

  test("a planned migration is judged by the connector's settings that the image holds", () => {
    const migration = join(projectDirectory, "test/query/cli/migration.sql")
    const { status, stdout } = run(roots.query, "lockstep", "connector", "preflight", migration)
    expect(status).toBe(0)
    expect(stdout).toContain("OK  alter table orders add column colour text")
  })

  test("missing settings are named, with the next step for a container", () => {
    const { status, stderr } = run(roots.query, "lockstep", "db", "migrate")
    expect(status).toBe(2)
    expect(stderr).toContain("  COMMAND_ADMIN_URL: not set")
    expect(stderr).toContain("docker compose run --rm lockstep")
  })

  test("there is no stack, and it is said plainly", () => {
    const { status, stderr } = run(roots.query, "lockstep", "stack", "up")
    expect(status).toBe(1)
    expect(stderr).toMatch(/^This is an image and has no stack/)
  })
})

test.each(["command", "query"] as const)("the %s service starts and asks for its settings", (name) => {
  const { status, stderr } = run(roots[name], "node", `dist/${name}/main.js`)
  expect(status).not.toBe(0)
  expect(stderr).toContain(`${name === "command" ? "COMMAND" : "PROJECTOR"}_DATABASE_URL`)
  expect(stderr).not.toContain("Cannot find")
})

test("the operations that docker-compose.yml runs exist", () => {
  const compose = z
    .object({ services: z.record(z.string(), z.object({ command: z.unknown().optional() })) })
    .parse(parse(readFileSync(join(projectDirectory, "docker-compose.yml"), "utf8"), { merge: true }))
  const operations = Object.values(compose.services).flatMap(({ command }) => {
    const words = z.array(z.string()).safeParse(command)
    return words.success && words.data[0] === "lockstep" ? [words.data.slice(1).join(" ")] : []
  })
  expect(operations).toEqual(["db migrate", "connector register"])
  expect(verbs.map(({ noun, verb }) => `${noun} ${verb}`)).toEqual(expect.arrayContaining(operations))
})
