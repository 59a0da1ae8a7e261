// Runs the command service until SIGTERM or SIGINT.
import { loadConfig } from "./config.ts"
import { start } from "./start.ts"

const service = await start(loadConfig()).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
})
/** A database that takes a goodbye and never answers it must not keep the process. query/main.ts has the sum of the limits. */
const stopLimitMs = 25_000
function stop(): void {
  setTimeout(() => process.exit(1), stopLimitMs).unref()
  void service.stop()
}
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, stop)
