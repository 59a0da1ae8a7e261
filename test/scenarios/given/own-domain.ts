// A domain of a test's own on the shared stack: its tables beside those of the write side, captured by a connector
// of its own, and a query service in this process that follows its projections and no others.
import type pg from "pg"
import { buildSettings } from "../../../connectors/connector-settings.ts"
import { registerConnector } from "../../../connectors/register.ts"
import { createPool } from "../../../db/connect.ts"
import { createSchemaFetcher, type FetchSchema } from "../../../query/cdc/decode/schema-registry.ts"
import type { Projections } from "../../../query/cdc/projection/projection.ts"
import { loadConfig } from "../../../query/config.ts"
import { start } from "../../../query/start.ts"
import { readEndpoints } from "../../stack/endpoints.ts"
import { endCapture, queryEnvironmentOf, registrationOf } from "../../support/capturing.ts"
import {
  createCommandDatabase,
  createQueryDatabase,
  type TestDatabase,
  uniqueName,
} from "../../support/databases.ts"
import { createReadSide, type ReadSide } from "../../support/read-side.ts"
import { waitFor } from "../../support/wait.ts"

export type OwnDomain = ReadSide & {
  writes: TestDatabase
  /** Superuser pools of both databases. */
  source: pg.Pool
  reads: pg.Pool
  /** Also the prefix of the topics. */
  name: string
  fetchSchema: FetchSchema
  /** Ends the query service and starts another: nothing is kept in memory between the two. */
  restart: () => Promise<void>
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
    ...registrationOf(name, writes),
    overrides: {
      "table.include.list": [template["table.include.list"], ...captured].join(),
      ...options.connectorSettings,
    },
  })
  const settings = loadConfig({
    ...queryEnvironmentOf(name, writes.urlAs("base_loader"), reading),
    QUERY_PORT: "0",
    LOG_LEVEL: "silent",
  })
  let running = await start(settings, options.projections)
  const readSide = createReadSide({ name, source, reads, logs: () => [] })
  await waitFor(async () => (await readSide.position()) > 0n, "the first generation serves", 30_000)

  return {
    ...readSide,
    writes,
    source,
    reads,
    name,
    fetchSchema: createSchemaFetcher(readEndpoints().registryUrl),
    async restart() {
      await running.stop()
      running = await start(settings, options.projections)
    },
    async drop() {
      await running.stop()
      await endCapture(name)
      await Promise.all([source.end(), reads.end()])
      await Promise.all([writes.drop(), reading.drop()])
    },
  }
}
