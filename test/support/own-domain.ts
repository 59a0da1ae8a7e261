// A domain of a test's own on the shared stack: its tables beside those of the write side, captured by a connector
// of its own, and a query service in this process that follows its projections and no others.
import type pg from "pg"
import { createConnectClient } from "../../connectors/connect-client.ts"
import { buildSettings } from "../../connectors/connector-settings.ts"
import { registerConnector } from "../../connectors/register.ts"
import { createPool } from "../../db/connect.ts"
import type { Projections } from "../../query/cdc/projection.ts"
import { createSchemaFetcher, type FetchSchema } from "../../query/cdc/schema-registry.ts"
import { loadConfig } from "../../query/config.ts"
import { start } from "../../query/start.ts"
import { readEndpoints } from "../stack/endpoints.ts"
import { createCommandDatabase, createQueryDatabase, type TestDatabase, uniqueName } from "./databases.ts"
import { removeTopics } from "./topics.ts"
import { waitFor } from "./wait.ts"

export type OwnDomain = {
  writes: TestDatabase
  /** Superuser pools of both databases. */
  source: pg.Pool
  reads: pg.Pool
  /** Also the prefix of the topics. */
  name: string
  fetchSchema: FetchSchema
  /** Ends the query service and starts another: nothing is kept in memory between the two. */
  restart: () => Promise<void>
  /** Waits until the position has passed everything committed so far. */
  caughtUp: () => Promise<void>
  /** Schema of the generation that serves. */
  liveSchema: () => Promise<string>
  drop: () => Promise<void>
}

export type OwnDomainOptions = {
  /** Makes the tables; run before anything is captured. */
  ddl: string
  /** Tables to capture, the projections' and maybe others. */
  captured: readonly string[]
  projections: Projections
  connectorSettings?: Record<string, string>
}

/** Starts it with the first generation serving. */
export async function createOwnDomain(base: string, options: OwnDomainOptions): Promise<OwnDomain> {
  const endpoints = readEndpoints()
  const name = uniqueName(base)
  const [writes, reading] = await Promise.all([createCommandDatabase(base), createQueryDatabase(base)])
  const source = createPool({ url: writes.adminUrl, applicationName: "test" })
  const reads = createPool({ url: reading.adminUrl, applicationName: "test" })
  const captured = options.captured.map((table) => `public.${table}`)
  await source.query(`${options.ddl};
    alter publication lockstep add table ${captured.join(", ")};
    grant select on ${captured.join(", ")} to capture, base_loader`)
  const template = buildSettings({ topicPrefix: name, slotName: name })
  await registerConnector({
    connectUrl: endpoints.connectUrl,
    kafkaBrokers: endpoints.kafkaBrokers,
    adminUrl: writes.adminUrl,
    databaseName: writes.name,
    connectorName: name,
    topicPrefix: name,
    slotName: name,
    overrides: {
      "table.include.list": [template["table.include.list"], ...captured].join(),
      ...options.connectorSettings,
    },
  })
  const fetchSchema = createSchemaFetcher(endpoints.registryUrl)
  const settings = loadConfig({
    QUERY_PORT: "0",
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
    LOG_LEVEL: "silent",
  })
  let running = await start(settings, options.projections)

  const position = async (): Promise<bigint> => {
    const { rows } = await reads.query<{ position: bigint }>(
      `select p.position from cdc.progress p join cdc.sources s
       on s.source = p.source and s.live_generation = p.generation`,
    )
    return rows[0]?.position ?? 0n
  }
  const reaches = (what: string, isReached: () => Promise<boolean>) =>
    waitFor(isReached, what, 30_000).catch(async (cause: unknown) => {
      const { rows } = await reads.query("select to_jsonb(s)::text as status from cdc.projector_status s")
      throw new Error(`${what} in vain: ${rows.map((row) => row.status).join()}`, { cause })
    })
  await reaches("the first generation serves", async () => (await position()) > 0n)

  return {
    writes,
    source,
    reads,
    name,
    fetchSchema,
    async restart() {
      await running.stop()
      running = await start(settings, options.projections)
    },
    async caughtUp() {
      const { rows } = await source.query<{ lsn: bigint }>(
        "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint as lsn",
      )
      const end = rows[0]?.lsn ?? 0n
      await reaches("the read side catches up", async () => (await position()) >= end)
    },
    async liveSchema() {
      const { rows } = await reads.query<{ schema_name: string }>(
        `select g.schema_name from cdc.generations g join cdc.sources s
         on s.source = g.source and s.live_generation = g.generation`,
      )
      return rows[0]?.schema_name ?? ""
    },
    async drop() {
      await running.stop()
      const connect = createConnectClient({ url: endpoints.connectUrl })
      await connect.stop(name).catch(() => {})
      await connect.remove(name).catch(() => {})
      await removeTopics(endpoints.kafkaBrokers, name).catch(() => {})
      await Promise.all([source.end(), reads.end()])
      await Promise.all([writes.drop(), reading.drop()])
    },
  }
}
