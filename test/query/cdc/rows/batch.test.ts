// Folding a batch into one final row per key must give what applying every change by itself gives, wherever the
// batches are cut, also when values were not sent and rows moved to other keys.
import fc from "fast-check"
import { expect, test } from "vitest"
import { integer, longText, text } from "../../../../query/cdc/projection/columns.ts"
import type { MirroredTable } from "../../../../query/cdc/projection/projection.ts"
import { type Batch, foldTransactions, StoredValue } from "../../../../query/cdc/rows/batch.ts"
import {
  type DataRecord,
  keyText,
  type Transaction,
  type Unavailable,
  unavailable,
  type Value,
} from "../../../../query/cdc/vocabulary/change.ts"
import { type Choices, choicesFrom, propertyRuns, tapes } from "../../../support/properties.ts"
import { lsn, rowChange } from "../given/records.ts"

const table: MirroredTable = {
  name: "t",
  key: [text("id")],
  columns: [integer("n"), longText("note")],
  indexes: [],
}
const tables = new Map([[table.name, table]])

const transaction = (commitLsn: number, records: DataRecord[]): Transaction => ({
  xid: String(commitLsn),
  commitLsn: lsn(commitLsn),
  endOffset: 0n,
  records,
})

const put = (
  at: number,
  key: string,
  n: number,
  note: Value | Unavailable,
  op: "c" | "u" = "u",
): DataRecord => rowChange({ lsn: at, previous: 0, offset: at, key, op, row: [key, n, note] })
const remove = (at: number, key: string): DataRecord =>
  rowChange({ lsn: at, previous: 0, offset: at, key, op: "d" })

/** Each key with its values; what must be read from a stored row as `<key of that row>`. */
function folded(...transactions: DataRecord[][]): Record<string, unknown> {
  const batch = foldTransactions(
    transactions.map((records, index) => transaction(1_000 * (index + 1), records)),
    tables,
  )
  const shown: Record<string, unknown> = {}
  for (const row of batch.get("t")?.values() ?? []) {
    shown[keyText(row.key)] =
      row.values?.map((value) => (value instanceof StoredValue ? `<${keyText(value.key)}>` : value)) ??
      "deleted"
  }
  return shown
}

test("the last change of a row wins, within a transaction and between two", () => {
  expect(folded([put(1, "a", 1, "x"), put(2, "a", 2, "y")], [put(3, "a", 3, "z")])).toEqual({
    a: ["a", 3, "z"],
  })
})

test("a row that was deleted and made again is the new one, and the other way round", () => {
  expect(
    folded([remove(1, "a"), put(2, "a", 1, "x", "c")], [put(3, "b", 1, "x", "c"), remove(4, "b")]),
  ).toEqual({
    a: ["a", 1, "x"],
    b: "deleted",
  })
})

test("a value that was not sent comes from the change before, null included, else from the stored row", () => {
  expect(
    folded(
      [put(1, "a", 1, "x"), put(2, "a", 2, unavailable)],
      [put(3, "b", 1, null), put(4, "b", 2, unavailable)],
      [put(5, "c", 1, unavailable), put(6, "c", 2, unavailable)],
    ),
  ).toEqual({ a: ["a", 2, "x"], b: ["b", 2, null], c: ["c", 2, "<c>"] })
})

test("a row that changes its key takes unsent values along, over several moves", () => {
  expect(
    folded(
      [put(1, "b", 1, unavailable, "c"), remove(1, "a")],
      [put(2, "c", 2, unavailable, "c"), remove(2, "b")],
    ),
  ).toEqual({ a: "deleted", b: "deleted", c: ["c", 2, "<a>"] })
})

test("an old key that is used again at once belongs to the new row", () => {
  expect(folded([put(1, "b", 1, unavailable, "c"), remove(1, "a"), put(2, "a", 9, "new", "c")])).toEqual({
    a: ["a", 9, "new"],
    b: ["b", 1, "<a>"],
  })
})

test("an unsent value of a row that was deleted before cannot be right", () => {
  expect(() => folded([remove(1, "a"), put(2, "a", 1, unavailable)])).toThrow(/leaves a value alone/)
  // The half that deletes the old key is parked: the row that has the new key until then is another one.
  expect(() => folded([put(1, "b", 1, "its own"), put(2, "b", 2, unavailable, "c")])).toThrow(
    /leaves a value alone/,
  )
})

test("a value that is stored nowhere is not missed by a row that is deleted in the end", () => {
  expect(() => folded([remove(1, "a"), put(2, "a", 1, unavailable), remove(3, "a")])).not.toThrow()
})

test("a table that is not mirrored is left out", () => {
  expect(folded([rowChange({ table: "cdc_heartbeat", lsn: 1, previous: 0, offset: 1 })])).toEqual({})
})

test("different keys never have the same text", () => {
  const key = fc.array(fc.oneof(fc.string(), fc.integer(), fc.bigInt()), { minLength: 2, maxLength: 2 })
  fc.assert(
    fc.property(key, key, (a, b) => {
      expect(keyText(a) === keyText(b)).toBe(a.map(String).join("\u0000") === b.map(String).join("\u0000"))
    }),
    propertyRuns("key texts", 500),
  )
})

test("folding in batches, wherever they are cut, equals applying row by row", () => {
  fc.assert(
    fc.property(tapes(120), (tape) => {
      const choices = choicesFrom(tape)
      const { transactions, rows } = writeTable(choices)
      const stored = new Map<string, Value[] | null>()
      while (transactions.length > 0) {
        const batch = foldTransactions(transactions.splice(0, 1 + choices.pick(4)), tables)
        storeBatch(stored, batch)
      }
      const living = [...stored].flatMap(([key, values]) => (values ? [[key, values] as const] : []))
      expect(new Map(living)).toEqual(rows)
    }),
    propertyRuns("folded batches", 2_000),
  )
})

/** What query/cdc/rows/mirror.ts does in SQL. */
function storeBatch(stored: Map<string, Value[] | null>, batch: Batch): void {
  const before = new Map(stored)
  for (const row of batch.get("t")?.values() ?? []) {
    const values = row.values?.map((value, column) => {
      if (!(value instanceof StoredValue)) return value
      const source = before.get(keyText(value.key))
      if (!source) throw new Error(`no row ${keyText(value.key)} is stored`)
      return source[column] ?? null
    })
    stored.set(keyText(row.key), values ?? null)
  }
}

/** A source table under random changes: the transactions as they are captured, and the rows at the end. */
function writeTable(choices: Choices): { transactions: Transaction[]; rows: Map<string, Value[]> } {
  const rows = new Map<string, Value[]>()
  const transactions: Transaction[] = []
  let at = 0
  while (!choices.isOver() && transactions.length < 12) {
    const records: DataRecord[] = []
    for (let changes = choices.pick(5); changes >= 0; changes--) {
      at++
      const key = `k${choices.pick(4)}`
      const row = rows.get(key)
      const note = choices.pick(3) === 0 ? null : `note ${at}`
      if (!row) {
        rows.set(key, [key, at, note])
        records.push(put(at, key, at, note, "c"))
        continue
      }
      // Three in four updates leave the note alone; then it is not sent.
      const kept = choices.pick(4) > 0
      const next: Value[] = [key, at, kept ? (row[2] ?? null) : note]
      const target = `k${choices.pick(4)}`
      const what = choices.pick(3)
      if (what === 0) {
        rows.set(key, next)
        records.push(put(at, key, at, kept ? unavailable : note))
      } else if (what === 1 || rows.has(target)) {
        rows.delete(key)
        records.push(remove(at, key))
      } else {
        rows.delete(key)
        rows.set(target, [target, at, next[2] ?? null])
        records.push(put(at, target, at, kept ? unavailable : note, "c"), remove(at, key))
      }
    }
    transactions.push(transaction(at * 10, records))
  }
  return { transactions, rows }
}
