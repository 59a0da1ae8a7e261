// One run of vitest in a process group of its own, so that a signal ends it with everything it started. Its lines go to
// the terminal, its counts come from its JSON report; no report, or a report that disagrees with the exit code, is a
// failure.
import { spawn } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { z } from "zod"
import { projectDirectory } from "./layout.ts"
import { signalGroup } from "./native/identity.ts"
import { endpointsFile } from "./ownership.ts"
import { inheritedEnvironment } from "./settings.ts"
import type { TestRun } from "./test-plan.ts"

/** How many tests passed, failed and were left out. */
export type Tally = {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

/** The sum of two tallies. */
export function addTallies(a: Tally, b: Tally): Tally {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
  }
}

const Report = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  testResults: z.array(
    z.object({ status: z.string(), assertionResults: z.array(z.object({ status: z.string() })) }),
  ),
})

/**
 * Counts a report of vitest. A file that failed without a failed test (it could not be loaded, or its set-up broke)
 * counts as one failure; so does an exit code other than 0 that nothing in the report explains, and an empty report.
 */
export function tallyOf(report: unknown, exitCode: number): Tally {
  const parsed = Report.safeParse(report)
  if (!parsed.success) return { passed: 0, failed: 1, skipped: 0 }
  const { numPassedTests, numFailedTests, numPendingTests, testResults } = parsed.data
  const brokenFiles = testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.every((test) => test.status !== "failed"),
  ).length
  const failed = numFailedTests + brokenFiles
  const unexplained = failed === 0 && (exitCode !== 0 || numPassedTests === 0)
  return { passed: numPassedTests, failed: unexplained ? 1 : failed, skipped: numPendingTests }
}

/** Runs vitest with the arguments of the run against the stack in `directory`. */
export async function runTests(
  directory: string,
  { title, args }: TestRun,
  signal: AbortSignal,
): Promise<Tally> {
  const [results, temporary] = [join(directory, "results"), join(directory, "tmp")]
  for (const path of [results, temporary]) mkdirSync(path, { recursive: true })
  const file = join(results, `${title.replaceAll(" ", "-")}.json`)
  rmSync(file, { force: true })
  const vitest = join(projectDirectory, "node_modules/vitest/vitest.mjs")
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`]
  const child = spawn(process.execPath, [vitest, "run", ...reporters, ...args], {
    cwd: projectDirectory,
    // A test that is killed leaves its temporary directory behind; here it goes with the rest of the run.
    env: { ...inheritedEnvironment(), STACK_ENDPOINTS: endpointsFile(directory), TMPDIR: temporary },
    stdio: ["ignore", "inherit", "inherit"],
    detached: true,
  })
  const ended = new Promise<number>((resolve) => {
    child.on("error", () => resolve(1))
    child.on("exit", (code) => resolve(code ?? 1))
  })
  const end = () => void endGroup(child.pid, ended)
  const kill = () => signalGroup(child.pid, "SIGKILL")
  signal.addEventListener("abort", end)
  process.on("exit", kill)
  if (signal.aborted) end()
  const exitCode = await ended
  process.off("exit", kill)
  signal.removeEventListener("abort", end)
  return tallyOf(existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined, exitCode)
}

async function endGroup(leader: number | undefined, ended: Promise<number>): Promise<void> {
  signalGroup(leader, "SIGTERM")
  await Promise.race([ended, pause(5000)])
  signalGroup(leader, "SIGKILL")
}
