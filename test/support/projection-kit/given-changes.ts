// Part of the projection kit: changes written down as an author thinks of them become a history of the source: whole
// transactions with xids, LSNs and partitions, as the decoder hands them over, and the rows as they are after each.
import { crc32 } from "node:zlib"
import { columnForms } from "../../../query/cdc/projection/column-forms.ts"
import type { Column } from "../../../query/cdc/projection/columns.ts"
import type { MirroredTable, Projections } from "../../../query/cdc/projection/projection.ts"
import type { CommitLogEntry, DataRecord, Value } from "../../../query/cdc/vocabulary/change.ts"
import { unavailable } from "../../../query/cdc/vocabulary/change.ts"
import type { Lsn } from "../../../query/cdc/vocabulary/lsn.ts"
import { begin, end, lsn, rowChange } from "../../query/cdc/given/records.ts"

/** A value by column; arrays and buffers are taken for columns of such a type. */
export type Values = Readonly<Record<string, Value | readonly Value[] | Buffer>>
export type Given = {
  table: string
  op: "insert" | "update" | "delete"
  before: Values | null
  after: Values | null
}

/** A row with these values; columns that are not named are null. */
export const inserted = (table: string, after: Values): Given => ({
  table,
  op: "insert",
  before: null,
  after,
})
/** The row with this key gets these values and keeps the others; `before` names it if its key changes. */
export const updated = (table: string, after: Values, before: Values = after): Given => ({
  table,
  op: "update",
  before,
  after,
})
/** The row with this key goes. */
export const deleted = (table: string, before: Values): Given => ({
  table,
  op: "delete",
  before,
  after: null,
})

export type SourceRow = { key: readonly Value[]; row: readonly Value[] }
export type SourceRows = ReadonlyMap<string, readonly SourceRow[]>
export type SourceTransaction = {
  commitLsn: Lsn
  records: DataRecord[]
  /** The same, with every long value that an update leaves alone not sent. */
  unsent: DataRecord[]
  entries: [CommitLogEntry, CommitLogEntry]
  /** Living rows after it, by table. */
  rows: SourceRows
}

const partitions = 3
const spread = 1_000

/** @throws Error that names a change which no source could have made. */
export function writeHistory(
  projections: Projections,
  given: readonly (readonly Given[])[],
): SourceTransaction[] {
  const tables = new Map(projections.tables.map((table) => [table.name, table]))
  const living = new Map(projections.tables.map(({ name }) => [name, new Map<string, SourceRow>()]))
  const offsets = new Map<string, number>()
  return given.map((changes, index) => {
    const xid = index + 1
    const commitLsn = (index + 2) * spread
    const previous = commitLsn - spread
    const records: DataRecord[] = []
    const unsent: DataRecord[] = []
    changes.forEach((change, place) => {
      const table = tables.get(change.table)
      const rows = living.get(change.table)
      if (!table || !rows) throw new Error(`${told(change)}: no such table is mirrored`)
      for (const half of halvesOf(table, rows, change)) {
        const partition = partitionOf(half.key)
        const topic = `${change.table}/${partition}`
        const offset = offsets.get(topic) ?? 0
        offsets.set(topic, offset + 1)
        const at = { table: change.table, xid, lsn: previous + place + 1, previous, partition, offset }
        const { op, key } = half
        records.push(rowChange({ ...at, op, key, ...(half.row && { row: half.row }) }))
        unsent.push(rowChange({ ...at, op, key, ...(half.row && { row: withoutUnsent(table, half) }) }))
      }
    })
    const counts: Record<string, number> = {}
    for (const { change } of records) {
      counts[`public.${change.table}`] = (counts[`public.${change.table}`] ?? 0) + 1
    }
    const rows = new Map([...living].map(([table, byKey]) => [table, [...byKey.values()]]))
    const entries: SourceTransaction["entries"] = [
      begin(xid, 2 * index),
      end(xid, commitLsn, counts, 2 * index + 1),
    ]
    return { commitLsn: lsn(commitLsn), records, unsent, entries, rows }
  })
}

/** A record to be; `was` is the row that an update found. */
type Half = { op: "c" | "u" | "d"; key: readonly Value[]; row?: readonly Value[]; was?: readonly Value[] }

/** One record, or the two of a changed primary key. */
function halvesOf(table: MirroredTable, rows: Map<string, SourceRow>, change: Given): Half[] {
  const columns = [...table.key, ...table.columns]
  const unknown = Object.keys({ ...change.before, ...change.after }).find(
    (name) => !columns.some((column) => column.name === name),
  )
  if (unknown !== undefined) throw new Error(`${told(change)}: there is no column ${unknown}`)
  const oldKey = keyIn(table, change.before)
  const was = oldKey && rows.get(idOf(oldKey))?.row
  if (change.op !== "insert" && !was) throw new Error(`${told(change)}: there is no such row`)
  if (oldKey) rows.delete(idOf(oldKey))
  if (!change.after) return oldKey ? [{ op: "d", key: oldKey }] : []

  const after = change.after
  const row = columns.map((column, at) =>
    column.name in after ? decodedValue(column, after[column.name]) : (was?.[at] ?? null),
  )
  const key = row.slice(0, table.key.length)
  if (rows.has(idOf(key))) throw new Error(`${told(change)}: there is such a row already`)
  if (key.includes(null)) throw new Error(`${told(change)}: a part of the key is missing`)
  rows.set(idOf(key), { key, row })
  if (!was || !oldKey) return [{ op: "c", key, row }]
  if (idOf(oldKey) === idOf(key)) return [{ op: "u", key, row, was }]
  return [
    { op: "d", key: oldKey },
    { op: "c", key, row, was },
  ]
}

const keyIn = (table: MirroredTable, values: Values | null): Value[] | null =>
  values && table.key.map((column) => decodedValue(column, values[column.name]))

/** As the decoder gives it. */
export function decodedValue({ type }: Pick<Column, "type">, value: Values[string] | undefined): Value {
  if (value === undefined || value === null) return null
  return typeof value === "object" ? columnForms[type].read(value) : value
}

const withoutUnsent = ({ key, columns }: MirroredTable, { row = [], was }: Half) =>
  row.map((value, at) => {
    const mayBe = [...key, ...columns][at]?.mayBeUnavailable ?? false
    return mayBe && was && value !== null && value === was[at] ? unavailable : value
  })

const idOf = (key: readonly Value[]): string => JSON.stringify(key.map(String))

const partitionOf = (key: readonly Value[]): number => crc32(idOf(key)) % partitions

/** The change as it was given, for messages. */
const told = ({ table, op, before, after }: Given): string =>
  `${op} of ${table} ${JSON.stringify(after ?? before, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value))}`
