// Runs a parked change through the guarded path at its original place in history. Newer state wins: of a change whose
// row has moved on only the values are put in that no later change of the row carried. It happens in the caller's
// transaction, under the lease; a dry run is the same, rolled back.
import { sql, type Transaction as Transaction_ } from "kysely"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import type { ApplyTarget } from "../apply/apply.ts"
import { erasedIn, forgetErased } from "../apply/erasure.ts"
import { fenceCache } from "../apply/fence-cache.ts"
import {
  type DeadLetterRow,
  isSuperseded,
  oldHalfOf,
  type ReadableDeadLetter,
  readDeadLetterRows,
} from "../dead-letters/dead-letter-row.ts"
import { noteLaterChanges } from "../dead-letters/later-changes.ts"
import { rowName } from "../dead-letters/park.ts"
import { dropBytes, type StoredDeadLetter } from "../dead-letters/stored-dead-letter.ts"
import type { Decoder } from "../decode/decode.ts"
import { applyWithEvents } from "../events/infer-events.ts"
import type { SourceTable } from "../projection/projection.ts"
import { tablesByName } from "../rows/apply-changes.ts"
import { type Difference, differenceOf, readStoredRow } from "../rows/stored-row.ts"
import { type DataRecord, unavailable } from "../vocabulary/change.ts"
import { EngineError } from "../vocabulary/errors.ts"
import { type Lsn, toLsn } from "../vocabulary/lsn.ts"
import { isLater } from "../vocabulary/place.ts"
import { assertNothingBack, findErasedOwners } from "./erased-owners.ts"
import { owedValues, putIn, replaced } from "./owed-values.ts"

/**
 * `applied`: as if it had never been parked. `merged`: the row has moved on, and what no later change carried was put
 * in. `superseded`: the row has moved on and misses nothing. `no-change`: it is no row change after all.
 */
export type Redriven = {
  outcome: "applied" | "merged" | "superseded" | "no-change"
  difference: Difference
}

/** @throws EngineError as the decoder does: it may be unreadable still, or the registry may be down. */
export async function readEntry(
  decoder: Decoder,
  tables: readonly SourceTable[],
  entry: StoredDeadLetter,
): Promise<ReadableDeadLetter> {
  const table = tables.find(({ name }) => name === entry.table)
  if (!table) throw new EngineError("misconfigured", `Table ${entry.table} is not read any more.`)
  if (entry.raw.value === null) {
    throw new EngineError(
      "undecodable-record",
      "Its bytes were removed with personal data that was erased. Discard it; a rebuild brings what it changed.",
    )
  }
  const record = await decoder.decodeData(entry.raw, table)
  if (record?.change.op === "blocked") throw record.change.error
  return { entry, record }
}

/** @throws EngineError or a Postgres error when it still cannot be applied; nothing of it may then be kept. */
export async function redrive(
  trx: Transaction_<QueryDatabase>,
  target: ApplyTarget,
  position: Lsn,
  unit: readonly ReadableDeadLetter[],
): Promise<Redriven> {
  const rows = await readDeadLetterRows(trx, target, unit)
  const [first] = rows
  if (!first) return { outcome: "no-change", difference: {} }
  await assertItsTurn(trx, target, position, rows)

  const tables = tablesByName(target.projections)
  const changesOf = (some: readonly DeadLetterRow[]) => ({
    ...first.place,
    records: some.map(({ record }) => record).sort(upsertsFirst),
  })
  const current = rows.filter((row) => !isSuperseded(row))
  const old = oldHalfOf(rows)
  if (old && isSuperseded(old) && current.some(takesValues)) throw replaced()
  // Before anything is written, because a row that is deleted now may hold values that the other row is owed.
  const late = rows.filter(isSuperseded).map((row) => ({ row, owed: owedValues(row, rows) }))
  const merged = late.filter(({ owed }) => owed.length > 0)

  const { cacheKeys } = await applyWithEvents(trx, target, [changesOf(current)])
  for (const { row, owed } of merged) {
    for (const key of await putIn(trx, target, row, owed)) cacheKeys.add(key)
  }
  const names = new Set(rows.map(({ record: { change } }) => rowName(change.table, change.key)))
  await noteLaterChanges(trx, target.ref, tables, [changesOf(rows)], names)
  const owners = await findErasedOwners(trx, target, rows)
  let difference: Difference = {}
  for (const row of rows) {
    const after = await readStoredRow(trx, target.schema, row.table, row.record.change.key)
    const ofRow = differenceOf(row.stored, after)
    assertNothingBack(target.projections, owners, row, ofRow)
    difference = { ...difference, ...ofRow }
  }
  if (owners.length > 0) {
    await dropBytes(
      trx,
      late.map(({ row }) => row.entry.id),
    )
  }
  const erased = new Set(erasedIn(target.projections, [changesOf(rows)]))
  for (const { subject } of owners) erased.add(subject)
  await forgetErased(trx, target, [...erased], cacheKeys)
  await fenceCache(trx, target, position, cacheKeys)
  const outcome = current.length > 0 ? "applied" : merged.length > 0 ? "merged" : "superseded"
  return { outcome, difference }
}

/** @throws EngineError while the transaction of the change is still to come, or what it takes values from is older. */
async function assertItsTurn(
  trx: Transaction_<QueryDatabase>,
  { ref }: ApplyTarget,
  position: Lsn,
  rows: readonly DeadLetterRow[],
): Promise<void> {
  const isToCome = ({ entry, record: { previousCommitLsn } }: DeadLetterRow): boolean =>
    !entry.isPlaced || (previousCommitLsn !== null && previousCommitLsn >= position)
  if (rows.some(isToCome))
    throw new EngineError("redrive-too-early", "Its transaction has not been applied yet.")
  const old = oldHalfOf(rows)
  if (!old || !rows.some(takesValues)) return
  const others = await trx
    .selectFrom("cdc.dead_letters")
    .select(["id", "xid", "lsn", "commit_lsn"])
    .where("source", "=", ref.source)
    .where("generation", "=", ref.generation)
    .where("state", "=", "parked")
    .where("table_name", "=", old.table.name)
    .where("row_key", "=", sql<string[]>`${old.record.change.key.map(String)}::text[]`)
    .where("id", "!=", old.entry.id)
    .orderBy("id")
    .execute()
  for (const { id, xid, lsn, commit_lsn } of others) {
    if (xid !== null && lsn !== null && commit_lsn !== null) {
      const place = { commitLsn: toLsn(commit_lsn), lsn: toLsn(lsn), xid: String(xid) }
      if (isLater(place, old.place)) continue
    }
    throw new EngineError(
      "redrive-too-early",
      `It takes values from a row of which dead letter ${id} is parked: redrive or discard dead letter ${id} first.`,
    )
  }
}

const takesValues = ({ record: { change } }: DeadLetterRow): boolean =>
  change.op === "upsert" && change.row.includes(unavailable)

/** As in a transaction: the new key's row of a primary key change takes values from the old key's. */
const upsertsFirst = (a: DataRecord, b: DataRecord): number =>
  Number(a.change.op === "delete") - Number(b.change.op === "delete")
