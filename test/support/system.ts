// A whole system of a test's own on the shared stack: fresh databases, its own connector, slot and topics, a query
// service in a process that can be killed, a command service in this process. `drop` leaves nothing behind.
import type pg from "pg"
import type { RegistrationOptions } from "../../connectors/register.ts"
import { createPool } from "../../db/connect.ts"
import { createCapturedSource } from "./captured-source.ts"
import { queryEnvironmentOf } from "./capturing.ts"
import { createQueryDatabase } from "./databases.ts"
import { openedForFile } from "./opened.ts"
import { createReadSide, type ReadSide } from "./read-side.ts"
import { createServiceProcess, type ServiceProcess } from "./service-process.ts"
import { waitFor } from "./wait.ts"

export type System = ReadSide & {
  commandUrl: string
  query: ServiceProcess
  /** Superuser pools of both databases. */
  source: pg.Pool
  reads: pg.Pool
  connectorName: string
  topicPrefix: string
  /** How its connector was registered, to register it again. */
  registration: RegistrationOptions
  /** Environments of services on this system, to start other instances. */
  commandEnvironment: Record<string, string>
  queryEnvironment: Record<string, string>
}

export type SystemOptions = {
  /** What is to differ in the query service's environment, from what it would be. */
  queryEnvironment?: (usual: Readonly<Record<string, string>>) => Record<string, string>
  nodeArguments?: readonly string[]
}

/** A system for all tests of the file. */
export function givenSystem(base: string, options: SystemOptions = {}): System {
  const system = openedForFile(
    () => createSystem(base, options),
    (opened) => opened.drop(),
  )
  return {
    get commandUrl() {
      return system().commandUrl
    },
    get query() {
      return system().query
    },
    get source() {
      return system().source
    },
    get reads() {
      return system().reads
    },
    get connectorName() {
      return system().connectorName
    },
    get topicPrefix() {
      return system().topicPrefix
    },
    get registration() {
      return system().registration
    },
    get commandEnvironment() {
      return system().commandEnvironment
    },
    get queryEnvironment() {
      return system().queryEnvironment
    },
    position: () => system().position(),
    caughtUp: (limitMs) => system().caughtUp(limitMs),
    liveSchema: () => system().liveSchema(),
  }
}

/** Starts it, with the demo data loaded and the first generation serving. */
export async function createSystem(
  base: string,
  more: SystemOptions = {},
): Promise<System & { drop: () => Promise<void> }> {
  const [captured, reading] = await Promise.all([createCapturedSource(base), createQueryDatabase(base)])
  const { name } = captured
  const usual = queryEnvironmentOf(name, captured.loaderUrl, reading)
  const queryEnvironment: Record<string, string> = { ...usual, ...more.queryEnvironment?.(usual) }
  const query = createServiceProcess("query", queryEnvironment, more.nodeArguments)
  const reads = createPool({ url: reading.adminUrl, applicationName: "test" })
  const readSide = createReadSide({ name, source: captured.pool, reads, logs: () => query.logs })
  await query.start()
  await waitFor(async () => (await readSide.position()) > 0n, "the first generation serves", 30_000)

  return {
    ...readSide,
    commandUrl: captured.commandUrl,
    query,
    source: captured.pool,
    reads,
    connectorName: name,
    topicPrefix: name,
    registration: captured.registration,
    commandEnvironment: captured.commandEnvironment,
    queryEnvironment,
    async drop() {
      await query.kill()
      await reads.end()
      await captured.drop()
      await reading.drop()
    },
  }
}
