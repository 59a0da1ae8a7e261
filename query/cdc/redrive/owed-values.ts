// Part of a redrive: what is left of a change whose row has moved on. Later updates may have left columns alone that
// the change gave a value (Postgres does not send large values again), so that the stored row has an older one.
import { CompiledQuery, type Transaction as Transaction_ } from "kysely"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import { quoted } from "../../../db/sql-names.ts"
import { type DeadLetterRow, isSuperseded, oldHalfOf } from "../dead-letters/dead-letter-row.ts"
import { isNotedSince } from "../dead-letters/later-changes.ts"
import { type ChangesTarget, changeRows } from "../rows/apply-changes.ts"
import { addCacheKeys } from "../rows/cache-keys.ts"
import { unavailable, type Value } from "../vocabulary/change.ts"
import { EngineError } from "../vocabulary/errors.ts"
import { toLsn } from "../vocabulary/lsn.ts"

export type OwedValue = { column: string; type: string; value: Value }

/**
 * The values of a superseded change that no later change of its row carried. `unit` is the change with the other half
 * of its primary key change, if it is one.
 * @throws EngineError when it is not known, or when what is owed is stored nowhere any more.
 */
export function owedValues(row: DeadLetterRow, unit: readonly DeadLetterRow[]): OwedValue[] {
  const { table, entry, record, place, stored } = row
  const { change } = record
  if (change.op !== "upsert") return []
  const old = oldHalfOf(unit)
  const owed: OwedValue[] = []
  table.columns.forEach(({ name, type, mayBeUnavailable }, index) => {
    const sent = change.row[table.key.length + index]
    const gives = sent !== unavailable || change.isNew
    if (!mayBeUnavailable || !gives) return
    if (entry.key === null) throw unknownKey(name)
    if (isNotedSince(entry.later.taken, name, place)) throw takenAway(name)
    if (!stored || stored.deleted || isNotedSince(entry.later.carried, name, place)) return
    const value = sent === undefined || sent === unavailable ? valueUnderOldKey(name, old) : sent
    owed.push({ column: name, type, value })
  })
  return owed
}

function valueUnderOldKey(column: string, old: DeadLetterRow | undefined): Value {
  if (!old?.stored || old.stored.deleted || isSuperseded(old)) throw replaced()
  return old.stored.columns.get(column) ?? null
}

const rebuild = "Rebuild: npx lockstep projection rebuild."

const unknownKey = (column: string): EngineError =>
  new EngineError(
    "missing-stored-value",
    `Its key could not be read when it was parked, so it is not known whether a later change carried ${column}. ${rebuild}`,
  )

const takenAway = (column: string): EngineError =>
  new EngineError(
    "missing-stored-value",
    `The row has been given another key since, and ${column} went with it. ${rebuild}`,
  )

/** A changed primary key takes values from the row under the old key. */
export const replaced = (): EngineError =>
  new EngineError(
    "missing-stored-value",
    `The row that this change took its values from has been replaced since. ${rebuild}`,
  )

/** Writes single columns and leaves the row's guard alone. Resolves to the cached answers that this makes stale. */
export async function putIn(
  trx: Transaction_<QueryDatabase>,
  target: ChangesTarget,
  { table, record, place }: DeadLetterRow,
  owed: readonly OwedValue[],
): Promise<ReadonlySet<string>> {
  const { key } = record.change
  const touched = { key, values: null, ...place, commitLsn: toLsn(0n), origin: record.origin }
  const batch = new Map([[table.name, new Map([["", touched]])]])
  const { cacheKeys } = await changeRows(trx, target, batch, async () => {
    const assignments = owed.map(({ column, type }, index) => `${quoted(column)} = $${index + 1}::${type}`)
    const where = table.key.map(
      ({ name, type }, index) => `${quoted(name)} = $${owed.length + index + 1}::${type}`,
    )
    await trx.executeQuery(
      CompiledQuery.raw(
        `update ${quoted(target.schema)}.${quoted(table.name)} set ${assignments.join(", ")} where ${where.join(" and ")}`,
        [...owed.map(({ value }) => value), ...key],
      ),
    )
    const keys = new Set<string>()
    await addCacheKeys(trx, target, new Map([[table.name, [key]]]), keys)
    return { rows: 1, written: 1, cacheKeys: keys }
  })
  return cacheKeys
}
