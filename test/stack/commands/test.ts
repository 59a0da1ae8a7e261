// `npm test`: proves the system. The checks, and beside them a stack of its own (also beside a running one) is installed
// and started; then every test. The last line counts everything; a stack that does not start, a crash of the test runner
// and a run without tests are failures. Arguments go to the test runner, without checks: `npm test -- --project pg`.
import { rmSync } from "node:fs"
import { join } from "node:path"
import { installSchemathesis } from "../../contract/given/schemathesis.ts"
import { runChecks } from "../checks.ts"
import { compilePrograms } from "../compiled.ts"
import { endpointsOf, writeEndpoints } from "../endpoints.ts"
import { createInfrastructure, kindOf } from "../infrastructure.ts"
import { installParts } from "../install.ts"
import { prepareLayout, projectDirectory } from "../layout.ts"
import { runErrand } from "../lifecycle.ts"
import { farDirectory } from "../native/postgres-home.ts"
import { endpointsFile, stopLeftovers, takeOwnership } from "../ownership.ts"
import { pickFreePort } from "../ports.ts"
import { createProgress } from "../progress.ts"
import type { Settings } from "../settings.ts"
import { testPlan } from "../test-plan.ts"
import { addTallies, runTests, type Tally } from "../test-runner.ts"

const directory = join(projectDirectory, ".stack-test")
const compiled = join(directory, "compiled")
const limitMs = 60 * 60_000

/** Runs the checks and the tests; the exit code is 0 when nothing failed. */
export async function test(settings: Settings, args: readonly string[]): Promise<number> {
  const progress = createProgress(console.log)
  const limit = AbortSignal.timeout(limitMs)
  const release = await takeOwnership(directory)
  let tally: Tally = { passed: 0, failed: 0, skipped: 0 }
  try {
    forget()
    const layout = await prepareLayout(directory, [settings.COMMAND_PORT, settings.QUERY_PORT])
    const infrastructure = createInfrastructure(kindOf(settings), layout, { durable: false })
    const work = async (ending: AbortSignal): Promise<number> => {
      const signal = AbortSignal.any([ending, limit])
      const startStack = async (): Promise<void> => {
        if (infrastructure.kind === "native") await installParts(progress, signal)
        signal.throwIfAborted()
        await infrastructure.start(progress)
        signal.throwIfAborted()
      }
      const checked = args.length === 0 ? runChecks(progress, signal) : Promise.resolve(tally)
      // Fetched here, and not where it is used, because a slow network would use up a test's time.
      const generator =
        args.length === 0
          ? progress.step("Generator of requests", () => installSchemathesis(signal), "pip")
          : Promise.resolve()
      await Promise.all([startStack(), checked, compilePrograms(compiled, signal), generator])
      tally = await checked
      const taken = new Set<number>()
      const freeUrl = async () => `http://127.0.0.1:${await pickFreePort(taken)}`
      const services = { commandUrl: await freeUrl(), queryUrl: await freeUrl(), parts: [] }
      writeEndpoints(endpointsFile(directory), {
        ...endpointsOf(infrastructure, directory, services),
        compiled,
      })
      const chosen = [[{ title: "chosen tests", args }]]
      for (const stage of args.length === 0 ? testPlan : chosen) {
        const runs = stage.map((run) => progress.step(run.title, () => runTests(directory, run, signal)))
        for (const results of await Promise.all(runs)) tally = addTallies(tally, results)
      }
      if (limit.aborted) throw new Error(`The tests took longer than ${limitMs / 60_000} minutes.`)
      return tally.failed === 0 ? 0 : 1
    }
    const parts = Object.values(infrastructure.parts)
    const stopAll = async () => {
      await infrastructure.stop()
      // Servers of a test's own, which an interruption left running.
      await stopLeftovers(directory)
    }
    const code = await runErrand({ directory, work, parts, stopAll, codeWhenTold: 130 })
    if (code !== 0 && tally.failed === 0) tally = { ...tally, failed: 1 }
    if (settings.KEEP === "1") console.log(`Kept: ${directory}`)
    else forget(code === 0 ? [] : ["logs"])
    if (code !== 0) console.log(`Logs of the stack: ${layout.logs}`)
    if (tally.skipped > 0) console.log(`${tally.skipped} skipped`)
    console.log(`${tally.passed} passed, ${tally.failed} failed`)
    return code
  } finally {
    release()
  }
}

// Removes everything that a run made, but for the note about its owner and the names in `staying`.
function forget(staying: readonly string[] = []): void {
  const made = [
    "compiled",
    "data",
    "config",
    "logs",
    "results",
    "tmp",
    "ports.json",
    "secrets.json",
    "endpoints.json",
  ]
  for (const name of made) {
    if (!staying.includes(name)) rmSync(join(directory, name), { recursive: true, force: true })
  }
  rmSync(farDirectory({ directory }), { recursive: true, force: true })
}
