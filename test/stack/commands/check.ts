// `npm run check`: format, lint, types and dead code, side by side. Needs nothing that runs.
import { runChecks } from "../checks.ts"
import { createProgress } from "../progress.ts"
import type { Settings } from "../settings.ts"

/** Runs the checks; the exit code is 0 when none of them finds anything, and 130 after an interruption. */
export async function check(_settings: Settings): Promise<number> {
  const ending = new AbortController()
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => ending.abort())
  const began = Date.now()
  try {
    const { passed, failed } = await runChecks(createProgress(console.log), ending.signal)
    console.log(`${passed} passed, ${failed} failed, after ${((Date.now() - began) / 1000).toFixed(1)} s`)
    if (failed > 0) console.log("npm run fix repairs format and some lint.")
    return failed === 0 ? 0 : 1
  } catch (error) {
    if (ending.signal.aborted) return 130
    throw error
  }
}
