// `npx lockstep stack logs [part] [--follow] [--lines=<n>]`: prints what the parts of this checkout's stack have logged.
// A native part logs to a file of its own below .stack/logs; containers are asked through docker compose.
import { join } from "node:path"
import { composeServices, runCompose } from "../compose/compose-project.ts"
import { isOfContainers } from "../endpoints.ts"
import { readLayout } from "../layout.ts"
import { printLogs } from "../log-files.ts"
import type { Settings } from "../settings.ts"
import { stackDirectory } from "./start.ts"

/** Prints the last lines of each part; with --follow it goes on until it is interrupted. */
export async function logs(settings: Settings, args: readonly string[]): Promise<number> {
  const part = args.find((arg) => !arg.startsWith("-"))
  const follow = args.includes("--follow") || args.includes("-f")
  const lines = Number(args.find((arg) => arg.startsWith("--lines="))?.slice("--lines=".length) ?? 50)
  if (!isOfContainers(stackDirectory)) {
    return printLogs({ directory: join(stackDirectory, "logs"), part, lines, follow, print: console.log })
  }
  const ending = new AbortController()
  process.once("SIGINT", () => ending.abort()).once("SIGTERM", () => ending.abort())
  const chosen = part === undefined ? [] : [part === "redis" ? composeServices.redis : part]
  const more = follow ? ["--follow", ...chosen] : chosen
  await runCompose(
    readLayout(stackDirectory),
    settings,
    ["logs", "--tail", `${lines}`, ...more],
    ending.signal,
  )
  return 0
}
