// Has the projector of a system load a fresh generation, as `npx lockstep projection rebuild` does, and waits for it.
import type pg from "pg"
import { createDatabase } from "../../db/connect.ts"
import type { QueryDatabase } from "../../db/query-schema.ts"
import { readRequest, requestRebuild } from "../../query/cdc/lease/requests.ts"
import type { System } from "./system.ts"
import { waitFor } from "./wait.ts"

/** @returns the commit LSN that the base of the new generation stands for. */
export async function rebuild({ reads, connectorName: source }: System): Promise<bigint> {
  await rebuildSource(reads, source)
  const { rows } = await reads.query<{ base_lsn: bigint }>(
    "select base_lsn from cdc.generations where state = 'live'",
  )
  return rows[0]?.base_lsn ?? 0n
}

/** The same for one of several sources. `reads` is a pool of the query database. */
export async function rebuildSource(reads: pg.Pool, source: string): Promise<void> {
  const db = createDatabase<QueryDatabase>(reads)
  const { id } = await requestRebuild(db, source, "test")
  await waitFor(
    async () => {
      const request = await readRequest(db, id)
      if (request?.state === "failed") throw new Error(`the rebuild failed: ${request.error}`)
      return request?.state === "done"
    },
    "the rebuild is done",
    60_000,
  )
}
