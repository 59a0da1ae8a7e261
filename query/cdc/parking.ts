// Between the steps of a follower: the changes that wait to be parked with its next apply, and the rows that have a
// parked change. What is here and not stored when the follower ends is read again.
import { type Applied, type ApplyStep, type ApplyTarget, applyTransactions } from "./apply.ts"
import type { DataRecord, Origin } from "./change.ts"
import {
  type ParkedChange,
  type ParkedRows,
  type Parking,
  type Placement,
  parkedRowsAfter,
  tooManyParked,
} from "./dead-letters.ts"
import type { RawRecord } from "./decode.ts"
import { classifyError } from "./errors.ts"
import { findRefused, type Refused } from "./isolate.ts"

export type ParkingPlace = ReturnType<typeof createParkingPlace>

export function createParkingPlace(start: { rows: ParkedRows; limit: number }) {
  let { rows } = start
  let waiting: ParkedChange[] = []

  return {
    /** @throws EngineError (halt) when so many wait that the stream is bad rather than a record. */
    add(change: ParkedChange): void {
      waiting.push(change)
      if (waiting.length > start.limit) throw tooManyParked(change, start.limit)
    },

    /** What the next apply takes; undefined where nothing is parked and nothing was. */
    take(placements: readonly Placement[]): Parking | undefined {
      if (waiting.length === 0 && placements.length === 0 && rows.size === 0) return undefined
      const changes = waiting
      waiting = []
      return { changes, placements, rows, limit: start.limit }
    },

    /** The apply that took these is committed. */
    stored(parking: Parking): void {
      rows = parkedRowsAfter(parking)
    },

    /** Entries were redriven or discarded: these rows still have one. */
    reset(parked: ParkedRows): void {
      rows = parked
    },
  }
}

/**
 * Applies a step; rows that Postgres refuses are found and parked, and the rest is applied.
 * @param readRecords reads records again as they came, by origin, in the order asked for.
 * @returns what was applied, and what was parked with it.
 */
export async function applyOrPark(
  target: ApplyTarget,
  step: ApplyStep,
  limit: number,
  readRecords: (origins: readonly Origin[]) => Promise<RawRecord[]>,
): Promise<{ applied: Applied; parked: Parking | undefined }> {
  try {
    return { applied: await applyTransactions(target, step), parked: step.parking }
  } catch (thrown) {
    if (classifyError(thrown).disposition !== "dead-letter") throw thrown
    const refused = await findRefused(target.db, target, step.transactions)
    const raws = await readRecords(refused.map(({ record }) => record.origin))
    const before = step.parking ?? { changes: [], placements: [], rows: new Set<string>(), limit }
    const parking = {
      ...before,
      changes: [...before.changes, ...refused.flatMap((bad, index) => toParked(bad, raws[index]))],
    }
    const applied = await applyTransactions(target, { ...without(step, refused), parking })
    return { applied, parked: parking }
  }
}

function toParked({ record, transaction, error }: Refused, raw: RawRecord | undefined): ParkedChange[] {
  if (!raw) return []
  const { commitLsn, xid } = transaction
  const { table, key } = record.change
  return [{ raw, table, key, place: { xid, lsn: record.lsn, commitLsn }, error }]
}

function without(step: ApplyStep, refused: readonly Refused[]): ApplyStep {
  const bad = new Set<DataRecord>(refused.map(({ record }) => record))
  const transactions = step.transactions.map((transaction) => ({
    ...transaction,
    records: transaction.records.filter((record) => !bad.has(record)),
  }))
  return { ...step, transactions }
}
