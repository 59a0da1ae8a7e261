// Checks the projections that a domain hands to the engine, and gives them their version. The version is a hash of
// everything that shapes a generation's tables and their cached answers, so nobody can forget to raise it. A process
// with a new version finds no generation of it and loads one; old processes serve their generation until the switch.
import { createHash } from "node:crypto"
import { guardColumns } from "./guard.ts"
import type { DerivedModel, MirroredTable, Outbox, Projections, RecomputedModel } from "./projection.ts"

/** @throws Error that names the parts that do not fit together. */
export function defineProjections(parts: Omit<Projections, "version">): Projections {
  assertDefined(parts)
  return { ...parts, version: versionOf(parts) }
}

function versionOf(parts: Omit<Projections, "version">): string {
  const { tables, derived, recomputed, cache, outbox, erasure, heartbeatTable } = parts
  const models = derived.map(({ contribution, ...model }) => ({
    ...model,
    contributions: [contribution("schema", null), contribution("schema", "aggregates")],
  }))
  const entities = recomputed.map(({ entities: of, rows, ...model }) => ({
    ...model,
    rows: [of("schema", "aggregates"), rows("schema", null), rows("schema", "entities")],
    cached: cache.ofEntity?.(model.name, "entity") ?? [],
  }))
  // Cache keys belong to the version: a projector that knows fewer keys than a reader would leave stale answers cached.
  const dependencies = [
    tables.map(({ name, key }) =>
      cache.ofRow(
        name,
        key.map((_, part) => `key ${part}`),
      ),
    ),
    derived.map(({ name, groupBy }) =>
      cache.ofGroup(
        name,
        groupBy.map((_, part) => `group ${part}`),
      ),
    ),
    Object.entries(cache.found).map(([table, found]) => [table, found("schema", "changed")]),
  ]
  const erased = erasure && [erasure.table, erasure.column, erasure.rows("schema", "subjects")]
  // The outbox belongs to the version: the load of a new version tells the events that nobody was told before.
  const told = outbox && [outbox.topic, outbox.recordedIn, outbox.inferredFrom]
  const everything = JSON.stringify({
    guardColumns,
    heartbeatTable,
    tables,
    models,
    entities,
    dependencies,
    erased,
    told,
  })
  return createHash("sha256").update(everything).digest("hex").slice(0, 12)
}

function assertDefined(parts: Omit<Projections, "version">): void {
  const { tables, derived, recomputed, outbox, erasure, heartbeatTable } = parts
  const mirrored = new Set(tables.map(({ name }) => name))
  assertDistinct(
    "tables",
    [...tables, ...derived, ...recomputed].map(({ name }) => name),
  )
  if (mirrored.has(heartbeatTable))
    throw new Error(`${heartbeatTable} is the heartbeat's and cannot be mirrored`)
  for (const table of tables) assertTable(table)
  for (const model of derived) assertModel(model, mirrored)
  for (const model of recomputed) assertRecomputed(model, mirrored)
  if (outbox) assertOutbox(outbox, tables)
  if (!erasure) return
  const subjects = tables.find(({ name }) => name === erasure.table)
  if (!subjects?.columns.some(({ name }) => name === erasure.column)) {
    throw new Error(`${erasure.table}.${erasure.column} tells of erasures, so it must be mirrored; it is not`)
  }
}

function assertOutbox({ recordedIn, inferredFrom }: Outbox, tables: readonly MirroredTable[]): void {
  const recorded = tables.find(({ name }) => name === recordedIn)
  if (recorded?.key.length !== 2) {
    throw new Error(`events are recorded in a mirrored table with a key of two columns, not in ${recordedIn}`)
  }
  const unknown = inferredFrom.filter((table) => !tables.some(({ name }) => name === table))
  if (unknown.length > 0)
    throw new Error(`events are inferred from mirrored tables, not from ${unknown.join(", ")}`)
}

function assertTable({ name, key, columns }: MirroredTable): void {
  if (key.length === 0) throw new Error(`table ${name} has no key`)
  const engines = guardColumns.map(([column]) => column)
  assertDistinct(`columns of ${name}`, [...engines, ...[...key, ...columns].map((column) => column.name)])
}

function assertModel({ name, groupBy, sums, touchedBy }: DerivedModel, mirrored: ReadonlySet<string>): void {
  assertDistinct(`columns of ${name}`, [...groupBy.map((column) => column.name), ...sums])
  if (groupBy.length === 0 || sums.length === 0) throw new Error(`model ${name} needs groups and sums`)
  assertTouched(name, touchedBy, mirrored)
}

function assertRecomputed(
  { name, key, columns, touchedBy }: RecomputedModel,
  mirrored: ReadonlySet<string>,
): void {
  assertDistinct(
    `columns of ${name}`,
    [...key, ...columns].map((column) => column.name),
  )
  if (key[0]?.type !== "text") throw new Error(`model ${name} needs an entity that is a text`)
  if (columns.length === 0) throw new Error(`model ${name} needs columns`)
  assertTouched(name, touchedBy, mirrored)
}

function assertTouched(name: string, touchedBy: readonly string[], mirrored: ReadonlySet<string>): void {
  const unknown = touchedBy.filter((table) => !mirrored.has(table))
  if (touchedBy.length === 0 || unknown.length > 0) {
    throw new Error(
      `model ${name} must be touched by mirrored tables, not by ${unknown.join(", ") || "none"}`,
    )
  }
}

function assertDistinct(what: string, names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new Error(`two of the ${what} are named ${twice}`)
}
