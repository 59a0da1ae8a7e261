// The captured heartbeat row: it moves the position of an idle database and carries the source's clock and
// identity. It is counted like any row and mirrored nowhere.
import type { DataRecord, Transaction } from "../vocabulary/change.ts"
import type { SourceIdentity } from "../vocabulary/history.ts"
import { integer, text, timestamptz } from "./columns.ts"
import type { Projections, SourceTable } from "./projection.ts"

export type Heartbeat = SourceIdentity & {
  /** The source's clock, as an ISO timestamp with microseconds. */
  beatAt: string
}

/** The heartbeat table as the decoder sees it. */
export const heartbeatTable = (name: string): SourceTable => ({
  name,
  key: [integer("id")],
  columns: [timestamptz("beat_at"), text("system_identifier"), integer("timeline")],
})

/** Every source table whose records are read: the mirrored ones and the heartbeat's. */
export const tablesRead = (projections: Projections): readonly SourceTable[] => [
  ...projections.tables,
  heartbeatTable(projections.heartbeatTable),
]

/** The heartbeat that a record of the heartbeat table tells, or null. */
export function readHeartbeat(record: DataRecord, table: string): Heartbeat | null {
  const { change } = record
  if (change.table !== table || change.op !== "upsert") return null
  const [, beatAt, systemIdentifier, timeline] = change.row
  if (typeof beatAt !== "string" || typeof systemIdentifier !== "string" || typeof timeline !== "number") {
    return null
  }
  return { beatAt, systemIdentifier, timeline }
}

/** The newest heartbeat of released transactions, or null if there is none. */
export function findHeartbeat(released: readonly Transaction[], table: string): Heartbeat | null {
  for (const { records } of released.toReversed()) {
    for (const record of records.toReversed()) {
      const heartbeat = readHeartbeat(record, table)
      if (heartbeat) return heartbeat
    }
  }
  return null
}
