// The last of step 4, before the commit: no cached answer older than the step is served from here on, and readers who wait
// for a position are woken when it commits.
import { sql, type Transaction as Transaction_ } from "kysely"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import type { CacheFence } from "../cache/fence.ts"
import type { GenerationRef } from "../lease/progress.ts"
import { EngineError } from "../vocabulary/errors.ts"
import type { Lsn } from "../vocabulary/lsn.ts"
import { positionChannel } from "../vocabulary/topics.ts"

/** @returns the cache epoch after the step; it is a new one where the cache could not be fenced. */
export async function fenceCache(
  trx: Transaction_<QueryDatabase>,
  target: { ref: GenerationRef; cacheFence: CacheFence },
  position: Lsn,
  keys: ReadonlySet<string> | "all",
): Promise<bigint> {
  const { source } = target.ref
  const outcome = await target.cacheFence.fence(position, keys === "all" ? keys : [...keys])
  const stored =
    outcome === "raise-epoch"
      ? await sql<{ cache_epoch: bigint }>`
        update cdc.sources set cache_epoch = cache_epoch + 1 where source = ${source}
        returning cache_epoch, pg_notify(${positionChannel}, ${source})`.execute(trx)
      : await sql<{ cache_epoch: bigint }>`
        select cache_epoch, pg_notify(${positionChannel}, ${source}) from cdc.sources
        where source = ${source}`.execute(trx)
  const row = stored.rows[0]
  if (!row) throw new EngineError("misconfigured", `Source ${source} is not known.`)
  return row.cache_epoch
}
