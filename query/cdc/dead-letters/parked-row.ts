// Part of a redrive: parked changes that can be read now, each beside its row as it is stored, and which of the two
// comes later in history.
import type { Transaction as Transaction_ } from "kysely"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import type { GenerationRef } from "../lease/progress.ts"
import type { MirroredTable } from "../projection/projection.ts"
import { type ChangesTarget, tablesByName } from "../rows/apply-changes.ts"
import { readStoredRow, type StoredRow } from "../rows/stored-row.ts"
import type { DataRecord } from "../vocabulary/change.ts"
import { type Lsn, toLsn } from "../vocabulary/lsn.ts"
import { isLater, type Place } from "../vocabulary/place.ts"
import { findMissing, type ParkedEntry } from "./parked-entries.ts"

/** A parked change that can be read now; null is no row change (a tombstone, a snapshot read). */
export type ReadableEntry = { entry: ParkedEntry; record: DataRecord | null }

export type ParkedRow = {
  table: MirroredTable
  entry: ParkedEntry
  record: DataRecord
  place: Place
  stored: StoredRow | null
}

/** Changes that were parked together. Those that are no row changes of a mirrored table are left out. */
export async function readParkedRows(
  trx: Transaction_<QueryDatabase>,
  target: ChangesTarget & { ref: GenerationRef },
  unit: readonly ReadableEntry[],
): Promise<ParkedRow[]> {
  const tables = tablesByName(target.projections)
  const rows: Omit<ParkedRow, "place">[] = []
  for (const { entry, record } of unit) {
    const table = record && tables.get(record.change.table)
    if (!record || !table) continue
    const stored = await readStoredRow(trx, target.schema, table, record.change.key)
    rows.push({ table, entry, record, stored })
  }
  const placed: ParkedRow[] = []
  for (const row of rows) {
    const { lsn, xid } = row.record
    placed.push({ ...row, place: { commitLsn: await commitLsnOf(trx, target.ref, row, rows), lsn, xid } })
  }
  return placed
}

/**
 * A record that could not be read may have been taken for another that could not, and was noted as a row of that one's
 * transaction. It names the transaction before its own, though, and so do the notes. If none is of its transaction, one
 * more than that places it right against every other transaction; against its own, which a stored row names, the LSN
 * decides.
 */
async function commitLsnOf(
  trx: Transaction_<QueryDatabase>,
  ref: GenerationRef,
  { entry, record }: Omit<ParkedRow, "place">,
  unit: readonly Omit<ParkedRow, "place">[],
): Promise<Lsn> {
  const { previousCommitLsn, lsn, xid } = record
  if (entry.lsn !== null && entry.commitLsn !== null) return entry.commitLsn
  const noted = previousCommitLsn === null ? null : await findMissing(trx, ref, previousCommitLsn)
  if (noted !== null) return noted
  for (const { stored } of unit) {
    if (stored && String(stored.xid) === xid) return toLsn(stored.guardCommitLsn)
  }
  return toLsn((previousCommitLsn ?? lsn) + 1n)
}

/** Whether the stored row is of this change already, or of a later one: the guard would refuse the change. */
export function isSuperseded({ stored, place }: ParkedRow): boolean {
  if (stored === null) return false
  const { guardCommitLsn, guardLsn, xid } = stored
  return !isLater(place, { commitLsn: toLsn(guardCommitLsn), lsn: toLsn(guardLsn), xid: String(xid) })
}

/** The half of a primary key change that deletes the row under the old key, which values that were not sent lie in. */
export const oldHalfOf = (unit: readonly ParkedRow[]): ParkedRow | undefined =>
  unit.find(({ record }) => record.change.op === "delete")
