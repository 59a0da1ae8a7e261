// A whole system of a test's own on the shared stack: fresh databases, its own connector, slot and topics, a query
// service in a process that can be killed, a command service in this process. `drop` leaves nothing behind.
import type pg from "pg"
import { loadConfig } from "../../command/config.ts"
import * as command from "../../command/start.ts"
import { createConnectClient } from "../../connectors/connect-client.ts"
import { type RegistrationOptions, registerConnector } from "../../connectors/register.ts"
import { createPool } from "../../db/connect.ts"
import { loadDemoData } from "../../db/demo-data.ts"
import { readEndpoints } from "../stack/endpoints.ts"
import { createCommandDatabase, createQueryDatabase, uniqueName } from "./databases.ts"
import { createServiceProcess, type ServiceProcess } from "./service-process.ts"
import { removeTopics } from "./topics.ts"
import { waitFor } from "./wait.ts"

export type System = {
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
  /** Waits until the position has passed everything committed so far. */
  caughtUp: (limitMs?: number) => Promise<void>
  /** Schema of the generation that serves. */
  liveSchema: () => Promise<string>
  drop: () => Promise<void>
}

/** Starts it, with the demo data loaded and the first generation serving. */
export async function createSystem(
  base: string,
  more: {
    /** What is to differ in the query service's environment, from what it would be. */
    queryEnvironment?: (usual: Readonly<Record<string, string>>) => Record<string, string>
    nodeArguments?: readonly string[]
  } = {},
): Promise<System> {
  const endpoints = readEndpoints()
  const name = uniqueName(base)
  const [writes, reading] = await Promise.all([createCommandDatabase(base), createQueryDatabase(base)])
  await loadDemoData(writes.adminUrl)
  const connect = createConnectClient({ url: endpoints.connectUrl })
  const registration = {
    connectUrl: endpoints.connectUrl,
    kafkaBrokers: endpoints.kafkaBrokers,
    adminUrl: writes.adminUrl,
    databaseName: writes.name,
    connectorName: name,
    topicPrefix: name,
    slotName: name,
  }
  await registerConnector(registration)
  const commandEnvironment = {
    COMMAND_PORT: "0",
    COMMAND_DATABASE_URL: writes.urlAs("command_app"),
    COMMAND_MAX_CONNECTIONS: "10",
    SOURCE_NAME: name,
    LOG_LEVEL: "silent",
  }
  const service = await command.start(loadConfig(commandEnvironment))
  const usual = {
    PROJECTOR_DATABASE_URL: reading.urlAs("projector"),
    READER_DATABASE_URL: reading.urlAs("reader"),
    SOURCE_DATABASE_URL: writes.urlAs("base_loader"),
    KAFKA_BROKERS: endpoints.kafkaBrokers,
    SCHEMA_REGISTRY_URL: endpoints.registryUrl,
    CONNECT_URL: endpoints.connectUrl,
    CONNECTOR_NAME: name,
    TOPIC_PREFIX: name,
    REDIS_URL: endpoints.redisUrl,
    SOURCE_NAME: name,
  }
  const queryEnvironment: Record<string, string> = { ...usual, ...more.queryEnvironment?.(usual) }
  const query = createServiceProcess("query", queryEnvironment, more.nodeArguments)
  const source = createPool({ url: writes.adminUrl, applicationName: "test" })
  const reads = createPool({ url: reading.adminUrl, applicationName: "test" })
  await query.start()

  const position = async (): Promise<bigint> => {
    const { rows } = await reads.query<{ position: bigint }>(
      `select p.position from cdc.progress p join cdc.sources s
       on s.source = p.source and s.live_generation = p.generation`,
    )
    return rows[0]?.position ?? 0n
  }
  await waitFor(async () => (await position()) > 0n, "the first generation serves", 30_000)

  return {
    commandUrl: service.url,
    query,
    source,
    reads,
    connectorName: name,
    topicPrefix: name,
    registration,
    commandEnvironment,
    queryEnvironment,
    async caughtUp(limitMs = 60_000) {
      const { rows } = await source.query<{ lsn: bigint }>(
        "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint as lsn",
      )
      const end = rows[0]?.lsn ?? 0n
      await waitFor(async () => (await position()) >= end, `position ${end} is reached`, limitMs).catch(
        async (cause: unknown) => {
          const status = await reads.query("select to_jsonb(s)::text as status from cdc.projector_status s")
          const known = [`at ${await position()}`, ...status.rows.map((row) => row.status)]
          const logged = query.logs.slice(-30).map((line) => JSON.stringify(line))
          throw new Error(["the read side does not catch up", ...known, ...logged].join("\n"), { cause })
        },
      )
    },
    async liveSchema() {
      const { rows } = await reads.query<{ schema_name: string }>(
        `select g.schema_name from cdc.generations g join cdc.sources s
         on s.source = g.source and s.live_generation = g.generation`,
      )
      return rows[0]?.schema_name ?? ""
    },
    async drop() {
      await query.kill()
      await service.stop()
      await connect.stop(name).catch(() => {})
      await connect.remove(name).catch(() => {})
      await removeTopics(endpoints.kafkaBrokers, name).catch(() => {})
      await source.end()
      await reads.end()
      await Promise.all([writes.drop(), reading.drop()])
    },
  }
}
