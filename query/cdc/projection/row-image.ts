// Part of step 2 (decode): from a row as Avro gives it to its values in the order of the mirrored table, each exact.
// A value that the connector cannot send exactly makes the record one that cannot be read.
import { type Row, type Unavailable, unavailable, type Value } from "../vocabulary/change.ts"
import { columnForms } from "./column-forms.ts"
import type { Column } from "./columns.ts"
import type { SourceTable } from "./projection.ts"
import { isPlaceholder } from "./unavailable-value.ts"

/** A row by column; a delete's image holds its key and nothing else. */
export type Image = Readonly<Record<string, unknown>>

/** The key's values in the table's order. @throws TypeError that names a column whose value was not sent exactly. */
export const keyOf = (image: Image, table: SourceTable): readonly Value[] =>
  table.key.map((column) => readValue(column, image[column.name]))

/** The key, then the columns in the table's order. @throws as `keyOf` does. */
export const rowOf = (image: Image, table: SourceTable, key = keyOf(image, table)): Row => [
  ...key,
  ...table.columns.map((column) => readColumn(column, image[column.name])),
]

/** The key of a decoded record key; null when it is not one of the table. */
export function readKey(decoded: unknown, table: SourceTable): readonly Value[] | null {
  if (typeof decoded !== "object" || decoded === null) return null
  const parts = keyOf(Object.fromEntries(Object.entries(decoded)), table)
  return parts.includes(null) ? null : parts
}

const readColumn = (column: Column, value: unknown): Value | Unavailable =>
  column.mayBeUnavailable && isPlaceholder(value) ? unavailable : readValue(column, value)

/** What is thrown names the column and never its value, which may be personal. */
function readValue({ name, type }: Column, value: unknown): Value {
  if (value === null || value === undefined) return null
  try {
    return columnForms[type].read(value)
  } catch (cause) {
    throw new TypeError(`column ${name}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  }
}
