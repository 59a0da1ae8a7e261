// Part of the projection kit: the read models of a generation, as a history is delivered to them.
import { deriveGeneration } from "../../../query/cdc/generations/generations.ts"
import type { Projections } from "../../../query/cdc/projection/projection.ts"
import type { PendingRow } from "../../../query/cdc/rows/batch.ts"
import { upsertRows } from "../../../query/cdc/rows/mirror.ts"
import { type Lsn, maxLsn } from "../../../query/cdc/vocabulary/lsn.ts"
import type { TestGeneration } from "../../query/cdc/given/generation.ts"
import { lsn } from "../../query/cdc/given/records.ts"
import type { Receiver } from "./delivery.ts"
import type { SourceRow } from "./given-changes.ts"
import { applyParking, redriveParked } from "./redriven.ts"

export function createReceiver(
  generation: TestGeneration,
  projections: Projections,
): Receiver & { reached: () => Lsn } {
  const { db, schema, target } = generation
  /** Up to here without `apply`. */
  let base = lsn(0)
  return {
    tables: new Set(projections.tables.map(({ name }) => `public.${name}`)),
    apply: async (transactions) => void (await generation.apply(transactions)),
    rewind: generation.rewind,
    async redrive(transactions, parked) {
      await applyParking(generation, transactions, parked)
      await redriveParked(generation, transactions)
      base = transactions.at(-1)?.commitLsn ?? base
    },
    async load(rows, at) {
      await db.transaction().execute(async (trx) => {
        for (const table of projections.tables) {
          const loaded = (rows.get(table.name) ?? []).map((row) => asLoaded(row, at))
          if (loaded.length > 0) await upsertRows(trx, schema, table, target.epoch, loaded)
        }
      })
      await deriveGeneration(db, schema, projections)
      base = at
    },
    reached: () => maxLsn(base, generation.position()),
  }
}

/** With the guard of a base load: anything committed after C is newer, anything before is older. */
const asLoaded = ({ key, row }: SourceRow, at: Lsn): PendingRow => ({
  key,
  values: [...row],
  commitLsn: at,
  lsn: lsn(0),
  xid: "0",
  origin: { topic: "", partition: 0, offset: 0n },
})
