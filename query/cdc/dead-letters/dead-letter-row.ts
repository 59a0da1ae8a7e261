// Part of a redrive: dead letters that can be read now, each beside its row as it is stored, and which of the two
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
import { findMissing, type StoredDeadLetter } from "./stored-dead-letter.ts"

/** A dead letter that can be read now; `record` is null if it is no row change (a tombstone, a snapshot read). */
export type ReadableDeadLetter = { entry: StoredDeadLetter; record: DataRecord | null }

export type DeadLetterRow = {
  table: MirroredTable
  entry: StoredDeadLetter
  record: DataRecord
  place: Place
  stored: StoredRow | null
}

/** Reads dead letters that are redriven together. A record without a row change of a mirrored table is left out. */
export async function readDeadLetterRows(
  trx: Transaction_<QueryDatabase>,
  target: ChangesTarget & { ref: GenerationRef },
  unit: readonly ReadableDeadLetter[],
): Promise<DeadLetterRow[]> {
  const tables = tablesByName(target.projections)
  const rows: Omit<DeadLetterRow, "place">[] = []
  for (const { entry, record } of unit) {
    const table = record && tables.get(record.change.table)
    if (!record || !table) continue
    const stored = await readStoredRow(trx, target.schema, table, record.change.key)
    rows.push({ table, entry, record, stored })
  }
  const placed: DeadLetterRow[] = []
  for (const row of rows) {
    const { lsn, xid } = row.record
    placed.push({ ...row, place: { commitLsn: await commitLsnOf(trx, target.ref, row, rows), lsn, xid } })
  }
  return placed
}

/**
 * Finds the commit LSN of a dead letter's transaction. The dead letter of an unreadable record may be noted as a row of
 * another transaction. The record, readable now, names the commit LSN before its own transaction, and every note names
 * the commit LSN before the noted transaction. If no note and no stored row is of the record's transaction, one more
 * than the commit LSN before is right against every other transaction; against its own transaction the LSN decides.
 * Example: the record names 700. A note "800, after 700" gives 800; without such a note and row the answer is 701.
 */
async function commitLsnOf(
  trx: Transaction_<QueryDatabase>,
  ref: GenerationRef,
  { entry, record }: Omit<DeadLetterRow, "place">,
  unit: readonly Omit<DeadLetterRow, "place">[],
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

/** Whether the stored row has this change already, or a later change: the guard would refuse this change. */
export function isSuperseded({ stored, place }: DeadLetterRow): boolean {
  if (stored === null) return false
  const { guardCommitLsn, guardLsn, xid } = stored
  return !isLater(place, { commitLsn: toLsn(guardCommitLsn), lsn: toLsn(guardLsn), xid: String(xid) })
}

/** The half of a primary key change that deletes the old key's row; values that were not sent lie in that row. */
export const oldHalfOf = (unit: readonly DeadLetterRow[]): DeadLetterRow | undefined =>
  unit.find(({ record }) => record.change.op === "delete")
