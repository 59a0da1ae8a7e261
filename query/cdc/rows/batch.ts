// Step 4a of the flow: folds the changes of released transactions into one final row per key, so that each table
// needs one statement. Within a batch the last change of a row wins; a delete keeps the key and nothing else.
// A value the connector did not send is taken from the row's earlier change in the batch, or is left as a
// reference to the stored row it must be read from (of the old key, when the primary key changed).
import type { MirroredTable } from "../projection/projection.ts"
import {
  type Changes,
  keyText,
  type Origin,
  type RowChange,
  unavailable,
  type Value,
} from "../vocabulary/change.ts"
import { EngineError } from "../vocabulary/errors.ts"
import type { Lsn } from "../vocabulary/lsn.ts"

/** A value that lives in the stored row under `key` and nowhere else. */
export class StoredValue {
  readonly key: readonly Value[]
  /** Why there is none: the batch deletes that row before. */
  readonly missing: EngineError | null
  constructor(key: readonly Value[], missing: EngineError | null = null) {
    this.key = key
    this.missing = missing
  }
}

export type PendingRow = {
  key: readonly Value[]
  /** Key and columns in the table's order; null for a deleted row. */
  values: (Value | StoredValue)[] | null
  commitLsn: Lsn
  lsn: Lsn
  xid: string
  origin: Origin
}

/** Rows to write, by table, in the order of their last change. */
export type Batch = Map<string, Map<string, PendingRow>>

/** @throws EngineError when a row is left with a value that is stored nowhere. */
export function foldTransactions(
  transactions: readonly Changes[],
  tables: ReadonlyMap<string, MirroredTable>,
): Batch {
  const batch: Batch = new Map()
  for (const transaction of transactions) {
    transaction.records.forEach((record, index) => {
      const table = tables.get(record.change.table)
      if (!table) return
      let rows = batch.get(table.name)
      if (!rows) {
        rows = new Map()
        batch.set(table.name, rows)
      }
      foldRecord(rows, record, transaction, index)
    })
  }
  for (const rows of batch.values()) for (const row of rows.values()) assertPresent(row)
  return batch
}

/** Last, because a row that is deleted in the end needs no value, whatever it was to take on the way. */
function assertPresent({ values }: PendingRow): void {
  for (const value of values ?? []) {
    if (value instanceof StoredValue && value.missing) throw value.missing
  }
}

function foldRecord(
  rows: Map<string, PendingRow>,
  record: RowChange,
  transaction: Changes,
  index: number,
): void {
  const { change } = record
  const id = keyText(change.key)
  const values = change.op === "delete" ? null : resolveRow(rows, record, transaction, index)
  rows.set(id, {
    key: change.key,
    values,
    commitLsn: transaction.commitLsn,
    lsn: record.lsn,
    xid: transaction.xid,
    origin: record.origin,
  })
}

function resolveRow(
  rows: Map<string, PendingRow>,
  record: RowChange,
  transaction: Changes,
  index: number,
): (Value | StoredValue)[] {
  if (record.change.op !== "upsert") return []
  const { row, key, isNew } = record.change
  if (!row.includes(unavailable)) return row.filter((value) => value !== unavailable)
  const oldKey = movedFrom(transaction.records, record, index)
  const earlier = rows.get(keyText(oldKey ?? key))
  // A new key's row has its values under the old one, and a delete of that is not here: it could not be applied.
  const isMissing = (isNew && oldKey === null) || (earlier && !earlier.values)
  const unsent = new StoredValue(oldKey ?? key, isMissing ? missingValue(record, transaction) : null)
  return row.map((value, column) => {
    if (value !== unavailable) return value
    return earlier?.values && !isMissing ? (earlier.values[column] ?? null) : unsent
  })
}

const missingValue = ({ change, origin }: RowChange, { xid }: Changes): EngineError =>
  new EngineError(
    "missing-stored-value",
    `An update of ${change.table} leaves a value alone that the row before it does not have.`,
    {
      nextStep: "Rebuild from a snapshot: npx lockstep projection rebuild.",
      detail: { table: change.table, key: keyText(change.key), xid, offset: String(origin.offset) },
    },
  )

/** The old key of a primary key change: the delete of the same table with the same LSN. */
function movedFrom(records: readonly RowChange[], record: RowChange, index: number): readonly Value[] | null {
  for (let next = index + 1; next < records.length; next++) {
    const other = records[next]
    if (!other || other.lsn !== record.lsn) return null
    if (other.change.op === "delete" && other.change.table === record.change.table) return other.change.key
  }
  return null
}
