// Runs the query service until SIGTERM or SIGINT.
import { loadConfig } from "./config.ts"
import { start } from "./start.ts"

const service = await start(loadConfig()).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
})
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void service.stop())
