// `npx lockstep stack down`: asks the owner of the running stack to stop it, and stops by itself what a killed owner left.
import { rmSync } from "node:fs"
import { runCompose } from "../compose/compose-project.ts"
import { isOfContainers } from "../endpoints.ts"
import { readLayout } from "../layout.ts"
import { endpointsFile, ownerOf, stopLeftovers, stopProcess } from "../ownership.ts"
import type { Settings } from "../settings.ts"
import { stackDirectory } from "./start.ts"

/** The owner stops services (30 s at most), Connect (30 s), Kafka and its neighbours (30 s), Postgres (20 s), one after another. */
const ownerLimitMs = 120_000

/** Stops the stack of this checkout, if one runs; the data stays. */
export async function down(settings: Settings): Promise<number> {
  const owner = ownerOf(stackDirectory)
  if (owner !== undefined) await stopProcess(owner, "SIGTERM", ownerLimitMs)
  if (isOfContainers(stackDirectory)) await runCompose(readLayout(stackDirectory), settings, ["down"])
  const left = await stopLeftovers(stackDirectory)
  rmSync(endpointsFile(stackDirectory), { force: true })
  if (owner === undefined && left.length === 0) console.log(`No stack runs in ${stackDirectory}.`)
  else console.log(left.length === 0 ? "Stopped." : `Stopped what was left behind: ${left.join(", ")}.`)
  return 0
}
