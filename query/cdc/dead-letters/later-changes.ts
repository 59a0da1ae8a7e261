// Part of step 4 (apply): while a change is parked, the changes of its row are noted on it, as far as a redrive has to
// know them: which columns they carried, so that the row misses them no longer, and which a changed primary key took
// on to another row. Where a parked change lies among them is known only when it can be read, so places are noted.
import { sql, type Transaction as Transaction_ } from "kysely"
import { z } from "zod"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import type { GenerationRef } from "../lease/progress.ts"
import type { MirroredTable } from "../projection/projection.ts"
import { type Changes, type RowChange, unavailable, type Value } from "../vocabulary/change.ts"
import { formatPlace, isLater, laterOf, type Place, parsePlace } from "../vocabulary/place.ts"
import { type DeadLetterRows, rowName } from "./park.ts"

/** By column: the newest change that carried a value, and the newest that took the row's value to another key. */
export type LaterChanges = { carried: ReadonlyMap<string, Place>; taken: ReadonlyMap<string, Place> }

/** The columns that an update may leave out and this row does not. All others are in every change. */
const carriedColumns = (table: MirroredTable, row: readonly unknown[]): string[] =>
  table.columns
    .filter((column, index) => column.mayBeUnavailable && row[table.key.length + index] !== unavailable)
    .map(({ name }) => name)

/** Notes the changes of rows that have a parked change; those of one row are folded first. */
export async function noteLaterChanges(
  trx: Transaction_<QueryDatabase>,
  ref: GenerationRef,
  tables: ReadonlyMap<string, MirroredTable>,
  transactions: readonly Changes[],
  deadLetterRows: DeadLetterRows,
): Promise<void> {
  if (deadLetterRows.size === 0) return
  const noted = new Map<string, Noted>()
  for (const { commitLsn, xid, records } of transactions) {
    for (const record of records) {
      const { table: name, key } = record.change
      const table = tables.get(name)
      const row = rowName(name, key)
      if (!table || !deadLetterRows.has(row)) continue
      const note: Noted = noted.get(row) ?? { table, key, carried: new Map(), taken: new Map() }
      noted.set(row, note)
      const place = { commitLsn, lsn: record.lsn, xid }
      const { carried, taken } = columnsOf(table, record, records)
      for (const column of carried) note.carried.set(column, laterOf(note.carried.get(column), place))
      for (const column of taken) note.taken.set(column, laterOf(note.taken.get(column), place))
    }
  }
  for (const note of noted.values()) await store(trx, ref, note)
}

type Noted = {
  table: MirroredTable
  key: readonly Value[]
  carried: Map<string, Place>
  taken: Map<string, Place>
}

/** A new key's row has all its values from the change or from the old key's row, and none from a row before it. */
function columnsOf(
  table: MirroredTable,
  { change, lsn }: RowChange,
  records: readonly RowChange[],
): { carried: string[]; taken: string[] } {
  if (change.op === "upsert")
    return { carried: carriedColumns(table, change.isNew ? [] : change.row), taken: [] }
  const all = carriedColumns(table, [])
  const moved = records.find(
    (other) => other.lsn === lsn && other.change.table === change.table && other.change.op === "upsert",
  )
  if (moved?.change.op !== "upsert") return { carried: all, taken: [] }
  const carried = carriedColumns(table, moved.change.row)
  return { carried, taken: all.filter((column) => !carried.includes(column)) }
}

/** A note may come after a newer one, when what it is about was redriven late. */
async function store(
  trx: Transaction_<QueryDatabase>,
  ref: GenerationRef,
  { table, key, carried, taken }: Noted,
): Promise<void> {
  if (carried.size === 0 && taken.size === 0) return
  const entries = await trx
    .selectFrom("cdc.dead_letters")
    .select(["id", "value_places", "taken_places"])
    .where("source", "=", ref.source)
    .where("generation", "=", ref.generation)
    .where("state", "=", "parked")
    .where("table_name", "=", table.name)
    .where("row_key", "=", sql<string[]>`${key.map(String)}::text[]`)
    .execute()
  for (const entry of entries) {
    const later = readLaterChanges(entry)
    await trx
      .updateTable("cdc.dead_letters")
      .set({
        value_places: toJson(merge(later.carried, carried)),
        taken_places: toJson(merge(later.taken, taken)),
      })
      .where("id", "=", entry.id)
      .execute()
  }
}

function merge(known: ReadonlyMap<string, Place>, more: ReadonlyMap<string, Place>): Map<string, Place> {
  const merged = new Map(known)
  for (const [column, place] of more) merged.set(column, laterOf(merged.get(column), place))
  return merged
}

const toJson = (places: ReadonlyMap<string, Place>): string =>
  JSON.stringify(Object.fromEntries([...places].map(([column, place]) => [column, formatPlace(place)])))

const storedPlaces = z
  .record(z.string(), z.string().transform(parsePlace))
  .transform((places) => new Map(Object.entries(places)))

/** The later changes that are noted on a dead letter. */
export const readLaterChanges = (row: { value_places: unknown; taken_places: unknown }): LaterChanges => ({
  carried: storedPlaces.parse(row.value_places),
  taken: storedPlaces.parse(row.taken_places),
})

/** Whether what is noted of the column happened after this place. */
export function isNotedSince(places: ReadonlyMap<string, Place>, column: string, place: Place): boolean {
  const newest = places.get(column)
  return newest !== undefined && isLater(newest, place)
}
