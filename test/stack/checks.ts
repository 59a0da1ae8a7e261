// The steps of `npm run check`, run one by one so that each is timed and counted.
import { spawn } from "node:child_process"
import { projectDirectory } from "./layout.ts"
import type { Progress } from "./progress.ts"
import type { Tally } from "./test-runner.ts"

/** Script names of the checks, in the order in which a person would want to hear of them. */
export const checks = ["check:format", "check:lint", "check:types", "check:dead"] as const

/** Runs one check; prints what it said when it found something. */
export async function runCheck(
  progress: Progress,
  name: (typeof checks)[number],
  signal: AbortSignal,
): Promise<Tally> {
  try {
    await progress.step(name, () => runScript(name, signal))
    return { passed: 1, failed: 0, skipped: 0 }
  } catch (error) {
    if (signal.aborted) throw error
    console.log(error instanceof Error ? error.message : error)
    return { passed: 0, failed: 1, skipped: 0 }
  }
}

const runScript = (name: string, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn("npm", ["run", "--silent", name], {
      cwd: projectDirectory,
      stdio: ["ignore", "pipe", "pipe"],
      signal,
    })
    const said: string[] = []
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => said.push(text))
    }
    child.on("error", reject)
    child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(said.join("")))))
  })
