// The captured heartbeat row: it moves the position of an idle database and carries the source's clock and
// identity. It is counted like any row and mirrored nowhere.
import type { Transaction } from "./change.ts"
import type { SourceTable } from "./decode.ts"
import { integer, text, timestamptz } from "./projection.ts"
import type { SourceIdentity } from "./source.ts"

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

/** The newest heartbeat of released transactions, or null if there is none. */
export function findHeartbeat(released: readonly Transaction[], table: string): Heartbeat | null {
  for (const { records } of released.toReversed()) {
    const change = records.findLast((record) => record.change.table === table)?.change
    if (change?.op !== "upsert") continue
    const [, beatAt, systemIdentifier, timeline] = change.row
    if (typeof beatAt !== "string" || typeof systemIdentifier !== "string" || typeof timeline !== "number")
      continue
    return { beatAt, systemIdentifier, timeline }
  }
  return null
}
