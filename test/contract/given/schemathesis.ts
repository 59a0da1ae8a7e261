// Schemathesis: reads an OpenAPI document, makes requests of every kind from it, good and bad, and holds each answer
// against the document. It comes through pip, once per version, into the directory of what else is not from npm.
import { execFile } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { z } from "zod"
import { stampOf } from "../../stack/install.ts"
import { projectDirectory } from "../../stack/layout.ts"

const execute = promisify(execFile)
const jars = join(projectDirectory, "connectors/jars")
const target = join(jars, "schemathesis")
const hooks = join(projectDirectory, "test/contract/given/hooks.py")
const requirements = join(projectDirectory, "test/contract/given/requirements.txt")

/** Installs it unless this version is there. @throws an error that says what to do. */
export async function installSchemathesis(signal?: AbortSignal): Promise<void> {
  const stampFile = join(jars, "schemathesis.stamp")
  const stamp = stampOf(readFileSync(requirements, "utf8"))
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) return
  rmSync(stampFile, { force: true })
  rmSync(target, { recursive: true, force: true })
  mkdirSync(jars, { recursive: true })
  const flags = ["--quiet", "--no-deps", "--disable-pip-version-check", "--root-user-action=ignore"]
  try {
    const args = ["install", ...flags, "--target", target, "--requirement", requirements]
    await execute("pip", args, signal === undefined ? {} : { signal })
  } catch (error) {
    throw new Error(
      "Schemathesis, which replays generated requests against both services, could not be installed. It needs Python " +
        "3.10 or newer with pip, and a package index that pip can reach (its address can be set with PIP_INDEX_URL). " +
        `Then repeat. pip said: ${error instanceof Error ? error.message.slice(-2_000) : String(error)}`,
      { cause: error },
    )
  }
  writeFileSync(stampFile, stamp)
}

/** What a run found. */
export type Replayed = {
  /** Empty when every answer was as documented. */
  failures: string
  /** Per operation (`GET /orders/{id}`), how often each status was answered. */
  statuses: Map<string, Map<number, number>>
}

export type Pools = Record<string, readonly string[]>
/** Operations by a pattern of their path, and which pool a parameter of theirs is taken from most of the time. */
export type Bindings = readonly { paths: string; parameters: Record<string, string> }[]

const har = z.object({
  log: z.object({
    entries: z.array(
      z.object({
        request: z.object({ method: z.string(), url: z.string() }),
        response: z.object({ status: z.number() }),
      }),
    ),
  }),
})

/** Replays generated requests against the service. Takes seconds; ends after `limitMs` at the latest. */
export async function replayGenerated(options: {
  url: string
  seed: number
  /** Random requests per operation, besides those at every limit of its schema. */
  examples: number
  directory: string
  pools: Pools
  bindings: Bindings
  /** Operations whose path matches are left out. */
  without?: string
  limitMs: number
}): Promise<Replayed> {
  const { url, directory } = options
  const config = join(directory, "schemathesis.toml")
  const recorded = join(directory, "requests.har")
  mkdirSync(directory, { recursive: true })
  writeFileSync(config, settings(options.pools, options.bindings))
  const args = [
    ...["--config-file", config, "run", `${url}/openapi.json`, "--no-color", "--warnings", "off"],
    ...["--seed", String(options.seed), "--max-examples", String(options.examples)],
    ...["--phases", "examples,coverage,fuzzing", "--generation-database", "none", "--continue-on-failure"],
    // What is well-formed may still be refused: that is what rejections are for.
    ...["--exclude-checks", "positive_data_acceptance"],
    ...["--request-timeout", "20", "--report", "har", "--report-har-path", recorded],
    ...(options.without === undefined ? [] : ["--exclude-path-regex", options.without]),
  ]
  const failures = await execute(join(target, "bin/schemathesis"), args, {
    cwd: directory,
    env: { ...process.env, PYTHONPATH: target, SCHEMATHESIS_HOOKS: hooks, PYTHONDONTWRITEBYTECODE: "1" },
    timeout: options.limitMs,
    maxBuffer: 64 * 1024 * 1024,
  }).then(
    () => "",
    (error: unknown) => outputOf(error),
  )
  return { failures, statuses: existsSync(recorded) ? await countStatuses(url, recorded) : new Map() }
}

function settings(pools: Pools, bindings: Bindings): string {
  const text = JSON.stringify // TOML's basic strings are JSON's
  const dictionaries = Object.entries(pools).map(
    ([name, values]) => `[dictionaries.${name}]\nvalues = ${text(values)}\n`,
  )
  const operations = bindings.map(({ paths, parameters }) => {
    const bound = Object.entries(parameters).map(
      ([place, pool]) => `${text(place)} = { dictionary = ${text(pool)}, probability = 0.8 }`,
    )
    return `[[operations]]\ninclude-path-regex = ${text(paths)}\n[operations.parameters]\n${bound.join("\n")}\n`
  })
  return [...dictionaries, ...operations].join("\n")
}

function outputOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const output =
    "stdout" in error && "stderr" in error ? [error.stdout, error.stderr].map(String).join("") : ""
  return output.trim() === "" ? error.message : output
}

async function countStatuses(url: string, recorded: string): Promise<Replayed["statuses"]> {
  const document = z
    .object({ paths: z.record(z.string(), z.unknown()) })
    .parse(await (await fetch(`${url}/openapi.json`)).json())
  const templates = Object.keys(document.paths)
    .sort((a, b) => a.split("{").length - b.split("{").length)
    .map((template) => ({ template, form: new RegExp(`^${template.replaceAll(/\{[^}]+\}/g, "[^/]+")}$`) }))
  const counts: Replayed["statuses"] = new Map()
  for (const { request, response } of har.parse(JSON.parse(readFileSync(recorded, "utf8"))).log.entries) {
    const path = request.url.slice(url.length).replace(/[?#].*/, "")
    const template = templates.find(({ form }) => form.test(path))?.template ?? path
    const operation = `${request.method} ${template}`
    const byStatus = counts.get(operation) ?? new Map<number, number>()
    byStatus.set(response.status, (byStatus.get(response.status) ?? 0) + 1)
    counts.set(operation, byStatus)
  }
  return counts
}
