// What a domain tells the engine: which source tables are mirrored and which models are derived from the
// mirrored rows. Pure data; the engine knows tables and rows and no word of any domain.
import type { Column, KeyType } from "./columns.ts"

/** A source table kept row for row in the read models, under the same name, guarded and soft-deleted. */
export type MirroredTable = {
  name: string
  key: readonly Column<KeyType>[]
  columns: readonly Column[]
  /** Made after the base load, when building them is cheapest. Each is the text after `on <table>`. */
  indexes: readonly string[]
}

/** A source table as the decoder sees it: the key columns first. */
export type SourceTable = { name: string; key: readonly Column[]; columns: readonly Column[] }

/**
 * Sums per group, kept by difference: what the touched aggregates contributed before a batch is taken away and
 * what they contribute after it is added, in the batch's transaction. Exact under duplicates and late edits.
 */
export type DerivedModel = {
  name: string
  /** Columns that identify a group, never null. */
  groupBy: readonly { name: string; type: KeyType }[]
  /**
   * Additive columns of whole numbers, numeric in the table. One of them must be a count: a
   * group is removed when it falls and all of them are zero.
   */
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

/**
 * Rows about entities that are no sums (a first, a latest, a number of different ones): whatever the touched
 * aggregates belonged to before a batch or belong to after it is computed anew from the stored rows, in the batch's
 * transaction. Exact whatever is replayed, because it depends on nothing else.
 */
export type RecomputedModel = {
  name: string
  /** The first column names the entity, as text; further ones tell its rows apart. Never null. */
  key: readonly { name: string; type: KeyType }[]
  columns: readonly { name: string; type: KeyType }[]
  /** Mirrored tables whose rows matter; the first key column of each names the aggregate. */
  touchedBy: readonly string[]
  /** A select of the entities that the aggregates belong to: one text column, which may repeat itself. */
  entities: (schema: string, aggregates: string) => string
  /** A select of key and columns: the rows of these entities (SQL text of a text[] expression, or null for all). */
  rows: (schema: string, entities: string | null) => string
  indexes: readonly string[]
}

/** Which cached answers a batch makes stale. Keys are the names query/http/cache stores finished answers under. */
export type CacheDependencies = {
  /** Keys that depend on a mirrored row, from its key values in key order. */
  ofRow: (table: string, key: readonly string[]) => readonly string[]
  /** Keys that depend on a group of a derived model whose sums changed, from its groupBy values. */
  ofGroup: (model: string, group: readonly string[]) => readonly string[]
  /** Keys that depend on the rows of an entity of a recomputed model. */
  ofEntity?: (model: string, entity: string) => readonly string[]
  /**
   * Keys found by SQL for changed rows of a table: a select of one text column. `changed` is the SQL text of a
   * text[] expression with the first key column of each changed row.
   */
  found: Readonly<Record<string, (schema: string, changed: string) => string>>
}

/**
 * Which rows say that somebody's personal data was erased at the source, and which rows are theirs. What the engine
 * keeps besides the rows that it applies is then forgotten in the same transaction (erasure.ts).
 */
export type Erasure = {
  /** Mirrored table with a row per subject, whose id is the first key column. */
  table: string
  /** Column of it that is null until the subject is erased. */
  column: string
  /** Their rows: a select of a mirrored table's name and a first key, as text. `subjects` is SQL text of a text[]. */
  rows: (schema: string, subjects: string) => string
  /** Columns that may hold something personal, by table; in the table of the subjects, until they are erased. */
  personal: Readonly<Record<string, readonly string[]>>
}

/** A row as an image shows it: values by column, as Postgres writes them. */
export type ImageRow = Readonly<Record<string, string | null>>
/** The rows of one aggregate, by table; a table of which it has none is not named. */
export type Image = Readonly<Record<string, readonly ImageRow[]>>

export type RowDifference = {
  table: string
  /** Without its first column, which names the aggregate. */
  key: readonly string[]
  change: "inserted" | "updated" | "deleted"
  /** Names of the columns whose value has changed; all that had one, where the row is new or gone. */
  columns: readonly string[]
}

/** What is told to others about aggregates: an event for every source transaction that changed one. */
export type Outbox = {
  /** Name of the topic, after the prefix. */
  topic: string
  /** Append-only table of which every row is an event. Its key is the aggregate and the event's number. */
  recordedIn: string
  /** What is told of such a row: SQL text over its columns, qualified by `recorded`. `data` is jsonb. */
  recorded: { type: string; occurredAt: string; traceparent: string; data: string }
  /** Tables whose rows make up an aggregate: a transaction that changed them and recorded nothing is told, too. */
  inferredFrom: readonly string[]
  /**
   * What such a transaction means. `isWhole` is false where an aggregate has more rows than are compared; then there
   * may be more differences than are listed, and even none.
   */
  infer: (change: {
    aggregate: string
    before: Image
    after: Image
    differences: readonly RowDifference[]
    isWhole: boolean
  }) => { type: string; data: Readonly<Record<string, unknown>> }
  /** JSON Schema that all data fits. */
  dataSchema: Readonly<Record<string, unknown>>
}

export type Projections = {
  /**
   * Follows from all the rest (define-projections.ts): a process serves only generations of its version,
   * and loads one when there is none.
   */
  version: string
  tables: readonly MirroredTable[]
  derived: readonly DerivedModel[]
  recomputed: readonly RecomputedModel[]
  cache: CacheDependencies
  /** Absent where nobody's personal data is kept. */
  erasure?: Erasure
  /** Absent where nobody is told anything. */
  outbox?: Outbox
  /** The table whose row carries the source's clock and identity; captured, never mirrored. */
  heartbeatTable: string
}
