// `npm run stack:down`: asks the owner of the running stack to stop it, and stops by itself what a killed owner left.
import { rmSync } from "node:fs"
import { join } from "node:path"
import type { Settings } from "./settings.ts"
import { stackDirectory } from "./start.ts"
import { endpointsFile, ownerOf, stopLeftovers, stopProcess } from "./supervisor.ts"

/** Stops the stack of this checkout, if one runs; the data stays. */
export const down = async (_settings: Settings): Promise<number> => {
  const place = { run: join(stackDirectory, "run") }
  const owner = ownerOf(place)
  if (owner !== undefined) await stopProcess(owner, "SIGTERM", 90_000)
  const left = await stopLeftovers(place)
  rmSync(endpointsFile(stackDirectory), { force: true })
  if (owner === undefined && left.length === 0) console.log(`No stack runs in ${stackDirectory}.`)
  else console.log(left.length === 0 ? "Stopped." : `Stopped what was left behind: ${left.join(", ")}.`)
  return 0
}
