// Runs the query service until SIGTERM or SIGINT, or until its projectors have halted and its settings say to end then:
// with exit code 1, for a supervisor to notice.
import { setFlagsFromString } from "node:v8"
import { loadConfig } from "./config.ts"
import { start } from "./start.ts"

/**
 * What is not collected yet may be as much as what lives. By default it may be several times that in a small heap, and
 * the bound on pending records (MAX_PENDING_MIB) would say little about the process.
 */
setFlagsFromString("--heap-growing-percent=100")

const service = await start(loadConfig()).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
})
/**
 * A server that takes a goodbye and never answers it must not keep the process. What it has is left as a kill leaves it.
 * The limits of a stop follow one another: readers that wait for a position 0.5 s, requests in flight 10 s (start.ts), the
 * batch that is being applied 7 s (start-projector.ts), goodbyes to Kafka and databases 3 s: together 20.5 s. So the
 * process ends itself after 25 s, and its supervisor kills it after 30 s (docker-compose.yml, test/stack/services.ts).
 */
const stopLimitMs = 25_000
const stop = async (exitCode: number): Promise<void> => {
  setTimeout(() => process.exit(1), stopLimitMs).unref()
  await service.stop()
  // The Kafka client may leave a connection open when it is stopped while it joins; that must not keep the process.
  process.exit(exitCode)
}
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void stop(0))
void service.halted.then(() => stop(1))
