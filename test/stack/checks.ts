// The parts of `npm run check`, side by side: each is a script of package.json in a process group of its own, so that an
// interruption ends it with everything that it started.
import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { delimiter, join } from "node:path"
import { z } from "zod"
import { projectDirectory } from "./layout.ts"
import { signalGroup } from "./native/identity.ts"
import type { Progress } from "./progress.ts"
import { inheritedEnvironment } from "./settings.ts"
import type { Tally } from "./test-runner.ts"

/** Script names of the checks; the longest one first, so that it is not the last to begin. */
export const checks = ["check:lint", "check:types", "check:dead", "check:format"] as const

/** Runs all checks at once; prints the findings of each check that fails. */
export async function runChecks(progress: Progress, signal: AbortSignal): Promise<Tally> {
  const results = await Promise.all(checks.map((name) => runCheck(progress, name, signal)))
  signal.throwIfAborted()
  const failed = results.filter((passed) => !passed).length
  return { passed: checks.length - failed, failed, skipped: 0 }
}

async function runCheck(progress: Progress, name: string, signal: AbortSignal): Promise<boolean> {
  try {
    await progress.step(name, () => runScript(name, signal))
    return true
  } catch (error) {
    if (!signal.aborted) progress.say(error instanceof Error ? error.message : String(error))
    return false
  }
}

const Scripts = z.object({ scripts: z.record(z.string(), z.string()) })

// Not through npm, which takes half a second for each.
function runScript(name: string, signal: AbortSignal): Promise<void> {
  const { scripts } = Scripts.parse(JSON.parse(readFileSync(join(projectDirectory, "package.json"), "utf8")))
  const environment = inheritedEnvironment()
  const path = [join(projectDirectory, "node_modules/.bin"), environment.PATH ?? ""].join(delimiter)
  return new Promise((resolve, reject) => {
    const child = spawn("/bin/sh", ["-c", scripts[name] ?? "false"], {
      cwd: projectDirectory,
      env: { ...environment, PATH: path },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    })
    const end = () => signalGroup(child.pid, "SIGTERM")
    signal.addEventListener("abort", end)
    if (signal.aborted) end()
    const printed: string[] = []
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => printed.push(text))
    }
    child.on("error", reject)
    child.on("close", (code) => {
      signal.removeEventListener("abort", end)
      if (code === 0) resolve()
      else reject(new Error(printed.join("")))
    })
  })
}
