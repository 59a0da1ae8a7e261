// The columns of a mirrored table, as a domain writes them down: `text("status")`, `bigint("total_minor")`. Column-forms.ts
// says for each type which values of the source it holds exactly.

/** Types of which equal values have one text, so that a key is the same row wherever it is read. */
export type KeyType = "text" | "smallint" | "integer" | "bigint" | "boolean" | "uuid" | "date" | "timestamptz"

/** Types the decoder can check against the writer's schema and hand to Postgres exactly. An enum is read as text. */
export type ColumnType =
  | KeyType
  | "numeric"
  | "real"
  | "double precision"
  | "time"
  | "timestamp"
  | "json"
  | "jsonb"
  | "bytea"
  | "text[]"
  | "integer[]"
  | "bigint[]"

export type Column<Type extends ColumnType = ColumnType> = {
  name: string
  type: Type
  /** Postgres may keep the value out of line, and then an update that leaves it alone does not carry it. */
  mayBeUnavailable: boolean
}

const fixed =
  <Type extends ColumnType>(type: Type) =>
  (name: string): Column<Type> => ({ name, type, mayBeUnavailable: false })

const outOfLine =
  <Type extends ColumnType>(type: Type) =>
  (name: string): Column<Type> => ({ name, type, mayBeUnavailable: true })

/** Text that is part of a key, or never of some kilobytes. */
export const text = fixed("text")
/** Text without a length limit: a value of some kilobytes is stored out of line. */
export const longText = outOfLine("text")
export const uuid = fixed("uuid")
export const boolean = fixed("boolean")
export const smallint = fixed("smallint")
export const integer = fixed("integer")
export const bigint = fixed("bigint")
export const real = fixed("real")
export const doublePrecision = fixed("double precision")
/** Thousands of digits are stored out of line. */
export const numeric = outOfLine("numeric")
export const date = fixed("date")
export const time = fixed("time")
/** Without time zone. Infinities and years after 294246 are refused: the connector does not send them exactly. */
export const timestamp = fixed("timestamp")
export const timestamptz = fixed("timestamptz")
export const json = outOfLine("json")
export const jsonb = outOfLine("jsonb")
export const bytea = outOfLine("bytea")
/** Arrays have one dimension that begins at 1: the connector sends no others exactly. */
export const textArray = outOfLine("text[]")
export const integerArray = outOfLine("integer[]")
export const bigintArray = outOfLine("bigint[]")
