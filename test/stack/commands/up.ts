// `npx lockstep stack up`: the same as `npm start`, but in the background. Shows the progress of the start and returns when
// the system serves, or when it could not be started.
import { spawn } from "node:child_process"
import { closeSync, existsSync, mkdirSync, openSync, rmSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { projectDirectory } from "../layout.ts"
import { tailOf } from "../log-files.ts"
import { endpointsFile, ownerOf } from "../ownership.ts"
import { inheritedEnvironment, type Settings } from "../settings.ts"
import { stackDirectory } from "./start.ts"

/** Starts the system detached from this terminal. */
export async function up(_settings: Settings): Promise<number> {
  const owner = ownerOf(stackDirectory)
  if (owner !== undefined) {
    console.log(
      `A stack already runs in ${stackDirectory} (process ${owner.pid}): npx lockstep stack status shows its parts.`,
    )
    return 0
  }
  // A killed owner leaves its endpoints behind; here they say that the new one serves.
  rmSync(endpointsFile(stackDirectory), { force: true })
  mkdirSync(join(stackDirectory, "logs"), { recursive: true })
  const log = join(stackDirectory, "logs/stack.log")
  const output = openSync(log, "w")
  const child = spawn(process.execPath, [join(projectDirectory, "test/stack/bootstrap.mjs"), "start"], {
    cwd: projectDirectory,
    env: inheritedEnvironment(),
    stdio: ["ignore", output, output],
    detached: true,
  })
  closeSync(output)
  let ended: number | undefined
  child.on("exit", (code) => {
    ended = code ?? 1
  })
  const show = tailOf(log, Number.POSITIVE_INFINITY, console.log)
  while (ended === undefined && !existsSync(endpointsFile(stackDirectory))) {
    await pause(100)
    show()
  }
  await pause(100)
  show()
  if (ended !== undefined) return ended === 0 ? 1 : ended
  child.unref()
  console.log(`Runs in the background as process ${child.pid}; npx lockstep stack down stops it.`)
  return 0
}
