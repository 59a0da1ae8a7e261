// A read of the source that is exactly a prefix of its history: creating a temporary replication slot exports a
// snapshot which sees the transactions with a commit LSN up to its consistent point C and no other.
// https://www.postgresql.org/docs/current/protocol-replication.html#PROTOCOL-REPLICATION-CREATE-REPLICATION-SLOT
import { randomUUID } from "node:crypto"
import pg from "pg"
import { z } from "zod"
import { clientConfig } from "../../../db/connect.ts"
import { EngineError } from "../vocabulary/errors.ts"
import { type Lsn, parsePgLsn } from "../vocabulary/lsn.ts"

export type ExportedSnapshot = {
  /** C: the snapshot holds exactly what was committed up to here. */
  consistentPoint: Lsn
  /** A new session that reads at C. The caller ends it. */
  openSession: () => Promise<pg.Client>
  /** Ends the slot; sessions that are open keep their snapshot. */
  close: () => Promise<void>
}

const slotShape = z.object({ consistent_point: z.string(), snapshot_name: z.string() })

/** Waits for write transactions that are open now. `url` must name a role with REPLICATION. */
export async function exportSnapshot(url: string): Promise<ExportedSnapshot> {
  // Slots are named in a cluster, which may hold several sources.
  const slotName = `base_load_${randomUUID().replaceAll("-", "")}`
  const options = { url, applicationName: "base load" }
  const replication = await connect({ ...clientConfig(options), replication: "database" })
  const created = await replication
    .query(`CREATE_REPLICATION_SLOT "${slotName}" TEMPORARY LOGICAL pgoutput (SNAPSHOT 'export')`)
    .catch(async (cause: unknown) => {
      await replication.end()
      throw cause
    })
  const row = slotShape.parse(created.rows[0])
  return {
    consistentPoint: parsePgLsn(row.consistent_point),
    async openSession() {
      const session = await connect(clientConfig(options))
      await session.query("begin isolation level repeatable read, read only")
      await session.query(`set transaction snapshot '${row.snapshot_name}'`)
      return session
    },
    close: () => replication.end(),
  }
}

async function connect(config: pg.ClientConfig & { replication?: string }): Promise<pg.Client> {
  const client = new pg.Client(config)
  // A connection that breaks fails the query that is running on it; without a listener it would end the process.
  client.on("error", () => {})
  await client.connect().catch((cause: unknown) => {
    throw new EngineError("dependency-down", "The source database does not answer.", { cause })
  })
  return client
}
