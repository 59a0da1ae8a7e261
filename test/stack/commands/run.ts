// Runs one of the project's programs against the stack that runs in this checkout: what the environment does not say
// is filled in from the stack's endpoints, so that `npm run projection:rebuild` needs no settings beside `npm start`.
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { readEndpointsFile } from "../endpoints.ts"
import { projectDirectory } from "../layout.ts"
import { endpointsFile } from "../ownership.ts"
import { inheritedEnvironment, type Settings } from "../settings.ts"
import { variablesOf } from "./env.ts"
import { stackDirectory } from "./start.ts"

/** Runs the program that the first argument names with the rest of the arguments; resolves to its exit code. */
export const run = async (_settings: Settings, args: readonly string[]): Promise<number> => {
  const file = endpointsFile(stackDirectory)
  const stack = existsSync(file) ? variablesOf(readEndpointsFile(file)) : {}
  const program = spawn(process.execPath, ["--import", "tsx", ...args], {
    cwd: projectDirectory,
    env: { ...stack, ...inheritedEnvironment() },
    stdio: "inherit",
  })
  // A Ctrl-C reaches the program too, and what it exits with is the answer.
  const ignore = () => {}
  process.on("SIGINT", ignore)
  const terminate = () => void program.kill("SIGTERM")
  process.once("SIGTERM", terminate)
  await once(program, "exit")
  process.off("SIGINT", ignore)
  return program.exitCode ?? 130
}
