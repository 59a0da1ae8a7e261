// What a domain tells the engine: which source tables are mirrored and which models are derived from the
// mirrored rows. Pure data; the engine knows tables and rows and no word of any domain.

/** Column types the decoder can check against the writer's schema and hand to Postgres exactly. */
export type ColumnType = "text" | "integer" | "bigint" | "boolean" | "timestamptz" | "jsonb"

export type Column = {
  name: string
  type: ColumnType
  /** Postgres may keep the value out of line, and then an update that leaves it alone does not carry it. */
  mayBeUnavailable: boolean
}

/** A source table kept row for row in the read models, under the same name, guarded and soft-deleted. */
export type MirroredTable = {
  name: string
  key: readonly Column[]
  columns: readonly Column[]
  /** Made after the base load, when building them is cheapest. Each is the text after `on <table>`. */
  indexes: readonly string[]
}

/**
 * Sums per group, kept by difference: what the touched aggregates contributed before a batch is taken away and
 * what they contribute after it is added, in the batch's transaction. Exact under duplicates and late edits.
 */
export type DerivedModel = {
  name: string
  /** Columns that identify a group, with their Postgres types. */
  groupBy: readonly { name: string; type: "text" | "timestamptz" }[]
  /** Additive columns, all bigint in the table and numeric in a sum. */
  sums: readonly string[]
  /** Mirrored tables whose rows matter; the first key column of each names the aggregate. */
  touchedBy: readonly string[]
  /**
   * The contribution of the aggregates named by `aggregates` (SQL text of a text[] expression, or null for all),
   * grouped: a select of the groupBy columns, then the sums. `schema` is the quoted schema of the generation.
   */
  contribution: (schema: string, aggregates: string | null) => string
  indexes: readonly string[]
}

/** Which cached answers a batch makes stale. Keys are the names query/http/cache stores finished answers under. */
export type CacheDependencies = {
  /** Keys that depend on a mirrored row, from its key values in key order. */
  ofRow: (table: string, key: readonly string[]) => readonly string[]
  /** Keys that depend on a group of a derived model whose sums changed, from its groupBy values. */
  ofGroup: (model: string, group: readonly string[]) => readonly string[]
  /**
   * Keys found by SQL for changed rows of a table: a select of one text column. `changed` is the SQL text of a
   * text[] expression with the first key column of each changed row.
   */
  found: Readonly<Record<string, (schema: string, changed: string) => string>>
}

export type Projections = {
  /** Changes whenever tables, columns or contributions do: a process serves only generations of its version. */
  version: string
  tables: readonly MirroredTable[]
  derived: readonly DerivedModel[]
  cache: CacheDependencies
  /** The table whose row carries the source's clock and identity; captured, never mirrored. */
  heartbeatTable: string
}

const column = (name: string, type: ColumnType, mayBeUnavailable: boolean): Column => ({
  name,
  type,
  mayBeUnavailable,
})

export const text = (name: string): Column => column(name, "text", false)
/** Text without a length limit: a value of some kilobytes is stored out of line. */
export const longText = (name: string): Column => column(name, "text", true)
export const integer = (name: string): Column => column(name, "integer", false)
export const bigint = (name: string): Column => column(name, "bigint", false)
export const boolean = (name: string): Column => column(name, "boolean", false)
export const timestamptz = (name: string): Column => column(name, "timestamptz", false)
export const jsonb = (name: string): Column => column(name, "jsonb", true)
