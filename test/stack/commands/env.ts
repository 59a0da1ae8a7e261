// `eval "$(npx lockstep stack env)"`: gives the shell the settings that the project's programs read, for the stack that
// runs in this checkout. Example: `psql "$READER_DATABASE_URL"` then opens the read models. Prints passwords.
import { existsSync } from "node:fs"
import { readEndpointsFile } from "../endpoints.ts"
import { variablesOf } from "../environment.ts"
import { endpointsFile } from "../ownership.ts"
import type { Settings } from "../settings.ts"
import { stackDirectory } from "./start.ts"

/** Prints the variables as shell commands, or with --json as an object; the exit code is 1 when no stack runs. */
export async function env(_settings: Settings, args: readonly string[]): Promise<number> {
  const file = endpointsFile(stackDirectory)
  if (!existsSync(file)) {
    console.error(`No stack runs in ${stackDirectory}: start one with npm start or npx lockstep stack up.`)
    return 1
  }
  const variables = variablesOf(readEndpointsFile(file))
  if (args.includes("--json")) {
    console.log(JSON.stringify(variables, null, 2))
    return 0
  }
  for (const [name, value] of Object.entries(variables)) {
    console.log(`export ${name}='${value.replaceAll("'", "'\\''")}'`)
  }
  return 0
}
