// Runs a parked change through the guarded path at its original place in history. Newer state wins: then only the
// columns are put in that no later change of the row carried (large values that updates leave alone). It happens in
// the caller's transaction, under the lease; a dry run is the same, rolled back.
import { CompiledQuery, type Transaction as Transaction_ } from "kysely"
import type { QueryDatabase } from "../../db/query-schema.ts"
import { type ApplyTarget, fenceCache } from "./apply.ts"
import { applyChanges, changeRows, tablesByName } from "./apply-changes.ts"
import { foldTransactions } from "./batch.ts"
import { addCacheKeys } from "./cache-keys.ts"
import { type DataRecord, unavailable } from "./change.ts"
import { carriedColumns, noteLaterChanges, placeText, rowName } from "./dead-letters.ts"
import type { Decoder } from "./decode.ts"
import { erasedIn, forgetErased } from "./erasure.ts"
import { EngineError } from "./errors.ts"
import { type Lsn, toLsn } from "./lsn.ts"
import { quoted } from "./mirror.ts"
import type { ParkedEntry } from "./parked-entries.ts"
import type { MirroredTable } from "./projection.ts"
import type { SourceTable } from "./row-image.ts"
import { type Difference, differenceOf, readStoredRow, type StoredRow } from "./stored-row.ts"

/**
 * `applied`: as if it had never been parked. `merged`: the row has moved on, and what no later change carried was put
 * in. `superseded`: the row has moved on and misses nothing. `no-change`: it is no row change after all.
 */
export type Redriven = {
  outcome: "applied" | "merged" | "superseded" | "no-change"
  difference: Difference
}

/** A parked change that can be read now; null is no row change (a tombstone, a snapshot read). */
export type ReadableEntry = { entry: ParkedEntry; record: DataRecord | null }

/** @throws EngineError as the decoder does: it may be unreadable still, or the registry may be down. */
export async function readEntry(
  decoder: Decoder,
  tables: readonly SourceTable[],
  entry: ParkedEntry,
): Promise<ReadableEntry> {
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
  unit: readonly ReadableEntry[],
): Promise<Redriven> {
  const rows: { table: MirroredTable; entry: ParkedEntry; record: DataRecord; before: StoredRow | null }[] =
    []
  for (const { entry, record } of unit) {
    const table = record && tablesByName(target.projections).get(record.change.table)
    if (!record || !table) continue
    rows.push({
      table,
      entry,
      record,
      before: await readStoredRow(trx, target.schema, table, record.change.key),
    })
  }
  const [first] = rows
  if (!first) return { outcome: "no-change", difference: {} }
  const commitLsn = commitLsnOf(first.entry, first.record, first.before)
  if (isMove(rows)) for (const { record, before } of rows) assertNotReplaced(record, commitLsn, before)
  const transaction = {
    xid: first.record.xid,
    commitLsn,
    endOffset: 0n,
    records: rows.map(({ record }) => record).sort(upsertsFirst),
  }
  const changed = await applyChanges(
    trx,
    target,
    foldTransactions([transaction], tablesByName(target.projections)),
  )
  const cacheKeys = new Set(changed.cacheKeys)
  let merged = false
  if (changed.written === 0) {
    for (const row of rows) {
      const columns = missingColumns(row.table, row.entry, row.record, commitLsn, row.before)
      if (columns.length === 0) continue
      merged = true
      for (const key of await putIn(trx, target, row.table, row.record, columns)) cacheKeys.add(key)
    }
  }
  await noteLaterChanges(
    trx,
    target.ref,
    tablesByName(target.projections),
    [transaction],
    new Set(rows.map(({ record }) => rowName(record.change.table, record.change.key))),
  )
  let difference: Difference = {}
  for (const { table, record, before } of rows) {
    const after = await readStoredRow(trx, target.schema, table, record.change.key)
    difference = { ...difference, ...differenceOf(before, after) }
  }
  await forgetErased(trx, target, erasedIn(target.projections, [transaction]), cacheKeys)
  await fenceCache(trx, target, position, cacheKeys)
  return { outcome: changed.written > 0 ? "applied" : merged ? "merged" : "superseded", difference }
}

/**
 * Of a record that could not be read only the transaction before its own may be known. One more than that places it
 * right against every other transaction; against its own, which the stored row names, the LSN decides.
 */
function commitLsnOf(entry: ParkedEntry, record: DataRecord, stored: StoredRow | null): Lsn {
  if (entry.commitLsn !== null) return entry.commitLsn
  if (stored !== null && String(stored.xid) === record.xid) return toLsn(stored.guardCommitLsn)
  return toLsn((record.previousCommitLsn ?? record.lsn) + 1n)
}

/** The two halves of a changed primary key, of which one leaves values to be taken from the other's row. */
const isMove = (rows: readonly { record: DataRecord }[]): boolean =>
  rows.some(({ record }) => record.change.op === "delete") &&
  rows.some(({ record }) => record.change.op === "upsert" && record.change.row.includes(unavailable))

/** A changed primary key takes values from the row under the old key, which may be another one by now. */
function assertNotReplaced({ change, lsn, xid }: DataRecord, commitLsn: Lsn, stored: StoredRow | null): void {
  if (change.op !== "delete" || stored === null || stored.deleted) return
  const at = placeText({
    commitLsn: toLsn(stored.guardCommitLsn),
    lsn: toLsn(stored.guardLsn),
    xid: String(stored.xid),
  })
  if (!isLater(at, placeText({ commitLsn, lsn, xid }))) return
  throw new EngineError(
    "missing-stored-value",
    "The row that this change took its values from has been replaced since. Rebuild: npm run projection:rebuild.",
  )
}

/** Columns of a superseded change that no later change carried, so that the stored row still lacks them. */
function missingColumns(
  table: MirroredTable,
  entry: ParkedEntry,
  { change, lsn, xid }: DataRecord,
  commitLsn: Lsn,
  stored: StoredRow | null,
): string[] {
  if (change.op !== "upsert" || stored === null || stored.deleted) return []
  const carried = carriedColumns(table, change.row)
  if (entry.key === null && carried.length > 0) {
    throw new EngineError(
      "missing-stored-value",
      `Its key could not be read when it was parked, so it is not known which of ${carried.join(", ")} later changes carried. Rebuild: npm run projection:rebuild.`,
    )
  }
  return carried.filter((name) => {
    const later = entry.valuePlaces.get(name)
    return later === undefined || !isLater(later, placeText({ commitLsn, lsn, xid }))
  })
}

function isLater(a: string, b: string): boolean {
  const [commitA = "0", lsnA = "0", xidA] = a.split("/")
  const [commitB = "0", lsnB = "0", xidB] = b.split("/")
  if (xidA !== xidB && commitA !== commitB) return BigInt(commitA) > BigInt(commitB)
  return BigInt(lsnA) > BigInt(lsnB)
}

/** Writes single columns and leaves the row's guard alone. Resolves to the cached answers that this makes stale. */
async function putIn(
  trx: Transaction_<QueryDatabase>,
  target: ApplyTarget,
  table: MirroredTable,
  { change, origin, lsn, xid }: DataRecord,
  columns: readonly string[],
): Promise<ReadonlySet<string>> {
  if (change.op !== "upsert") return new Set()
  const { key, row } = change
  const touched = { key, values: null, commitLsn: toLsn(0n), lsn, xid, origin }
  const { cacheKeys } = await changeRows(
    trx,
    target,
    new Map([[table.name, new Map([["", touched]])]]),
    async () => {
      const assignments = columns.map((name, index) => {
        const column = table.columns.find((candidate) => candidate.name === name)
        return `${quoted(name)} = $${index + 1}::${column?.type ?? "text"}`
      })
      const where = table.key.map(
        ({ name, type }, index) => `${quoted(name)} = $${columns.length + index + 1}::${type}`,
      )
      await trx.executeQuery(
        CompiledQuery.raw(
          `update ${quoted(target.schema)}.${quoted(table.name)} set ${assignments.join(", ")} where ${where.join(" and ")}`,
          [
            ...columns.map(
              (name) => row[table.key.length + table.columns.findIndex((column) => column.name === name)],
            ),
            ...key,
          ],
        ),
      )
      const keys = new Set<string>()
      await addCacheKeys(trx, target, table.name, [key], keys)
      return { rows: 1, written: 1, cacheKeys: keys }
    },
  )
  return cacheKeys
}

/** As in a transaction: the new key's row of a primary key change takes values from the old key's. */
const upsertsFirst = (a: DataRecord, b: DataRecord): number =>
  Number(a.change.op === "delete") - Number(b.change.op === "delete")
