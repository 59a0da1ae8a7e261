// A generation is one complete set of read-model tables in a schema of its own (`read_1`, `read_2`, ..). Its tables
// follow from the projections alone. It serves nobody before it is complete; the switch is one row update.
// Numbers come from one sequence for all sources and are never given twice. So neither another source nor a process
// that has lost the lease without knowing it ever means the tables of another generation.
import { CompiledQuery, type Kysely, sql, type Transaction } from "kysely"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import { quoted } from "../../../db/sql-names.ts"
import { type LeaseRef, underLease } from "../lease/lease.ts"
import { guardColumns } from "../projection/guard.ts"
import type { DerivedModel, MirroredTable, Projections, RecomputedModel } from "../projection/projection.ts"
import { computeAll } from "../rows/recompute.ts"

export type Generation = { source: string; generation: number; schema: string; projectionVersion: string }

const execute = async (db: Kysely<QueryDatabase>, text: string): Promise<void> => {
  await db.executeQuery(CompiledQuery.raw(text))
}

/** The generation that serves readers, or null before the first generation is complete. */
export async function findLiveGeneration(
  db: Kysely<QueryDatabase>,
  source: string,
): Promise<Generation | null> {
  const row = await db
    .selectFrom("cdc.sources as s")
    .innerJoin("cdc.generations as g", (join) =>
      join.onRef("g.source", "=", "s.source").onRef("g.generation", "=", "s.live_generation"),
    )
    .select(["g.generation", "g.schema_name", "g.projection_version"])
    .where("s.source", "=", source)
    .executeTakeFirst()
  if (!row) return null
  return {
    source,
    generation: row.generation,
    schema: row.schema_name,
    projectionVersion: row.projection_version,
  }
}

/** Notes a new generation and makes its schema and bare tables; keys and indexes come after the load. */
export async function beginGeneration(
  db: Kysely<QueryDatabase>,
  lease: LeaseRef,
  projections: Projections,
): Promise<Generation> {
  const { source } = lease
  return await underLease(db, lease, async (trx) => {
    const { generation, schema_name: schema } = await trx
      .insertInto("cdc.generations")
      .columns(["source", "generation", "schema_name", "projection_version", "state"])
      .expression(
        sql`select ${source}, n, 'read_' || n, ${projections.version}, 'loading'
            from (select nextval('cdc.generation_numbers')::integer as n) next`,
      )
      .returning(["generation", "schema_name"])
      .executeTakeFirstOrThrow()
    await createGenerationTables(trx, schema, projections)
    return { source, generation, schema, projectionVersion: projections.version }
  })
}

/** The schema and tables of a generation, without keys and indexes. Readers may select from them. */
export async function createGenerationTables(
  db: Kysely<QueryDatabase>,
  schema: string,
  projections: Projections,
): Promise<void> {
  await execute(db, `create schema ${quoted(schema)}`)
  await execute(db, `grant usage on schema ${quoted(schema)} to reader`)
  for (const table of projections.tables) await execute(db, mirroredTableDdl(schema, table))
  for (const model of projections.derived) await execute(db, derivedTableDdl(schema, model))
  for (const model of projections.recomputed) await execute(db, recomputedTableDdl(schema, model))
  await execute(db, `grant select on all tables in schema ${quoted(schema)} to reader`)
}

/** Builds keys and indexes once over the loaded rows: this is cheaper than row by row. */
export async function indexGeneration(
  db: Kysely<QueryDatabase>,
  schema: string,
  projections: Projections,
): Promise<void> {
  for (const table of projections.tables) {
    const name = `${quoted(schema)}.${quoted(table.name)}`
    await execute(
      db,
      `alter table ${name} add primary key (${table.key.map((column) => quoted(column.name)).join(", ")})`,
    )
    for (const index of table.indexes) await execute(db, `create index on ${name} ${index}`)
  }
  for (const model of projections.derived) {
    const name = `${quoted(schema)}.${quoted(model.name)}`
    await execute(
      db,
      `alter table ${name} add primary key (${model.groupBy.map((column) => quoted(column.name)).join(", ")})`,
    )
    for (const index of model.indexes) await execute(db, `create index on ${name} ${index}`)
  }
  for (const model of projections.recomputed) {
    const name = `${quoted(schema)}.${quoted(model.name)}`
    await execute(
      db,
      `alter table ${name} add primary key (${model.key.map((column) => quoted(column.name)).join(", ")})`,
    )
    for (const index of model.indexes) await execute(db, `create index on ${name} ${index}`)
  }
  await execute(
    db,
    projections.tables.map((table) => `analyze ${quoted(schema)}.${quoted(table.name)}`).join(";"),
  )
}

/** Computes the derived models once over all loaded rows; as later on, a group whose sums are all 0 has no row. */
export async function deriveGeneration(
  db: Kysely<QueryDatabase>,
  schema: string,
  projections: Projections,
): Promise<void> {
  for (const model of projections.derived) {
    const columns = [...model.groupBy.map(({ name }) => name), ...model.sums].map(quoted).join(", ")
    const isSomething = model.sums.map((name) => `${quoted(name)} is distinct from 0`).join(" or ")
    await execute(
      db,
      `insert into ${quoted(schema)}.${quoted(model.name)} (${columns})
       select ${columns} from (${model.contribution(quoted(schema), null)}) contribution where ${isSomething}`,
    )
  }
  for (const model of projections.recomputed) await execute(db, computeAll(schema, model))
}

/** Makes a complete generation the serving generation, and marks the former generation as retired. */
export async function switchGeneration(trx: Transaction<QueryDatabase>, next: Generation): Promise<void> {
  await trx
    .updateTable("cdc.generations")
    .set({ state: "retired" })
    .where("source", "=", next.source)
    .where("state", "=", "live")
    .execute()
  await trx
    .updateTable("cdc.generations")
    .set({ state: "live", completed_at: new Date() })
    .where("source", "=", next.source)
    .where("generation", "=", next.generation)
    .execute()
  await trx
    .updateTable("cdc.sources")
    .set({ live_generation: next.generation })
    .where("source", "=", next.source)
    .execute()
}

/** Removes every generation that does not serve: retired generations and interrupted loads. */
export async function dropIdleGenerations(db: Kysely<QueryDatabase>, lease: LeaseRef): Promise<void> {
  const { source } = lease
  const idle = await db
    .selectFrom("cdc.generations")
    .select(["generation", "schema_name"])
    .where("source", "=", source)
    .where("state", "!=", "live")
    .execute()
  for (const { generation, schema_name } of idle) {
    await dropTables(db, lease, schema_name)
    await underLease(db, lease, async (trx) => {
      await execute(trx, `drop schema if exists ${quoted(schema_name)} cascade`)
      for (const table of ["cdc.generations", "cdc.progress", "cdc.resume_offsets"] as const) {
        await trx
          .deleteFrom(table)
          .where("source", "=", source)
          .where("generation", "=", generation)
          .execute()
      }
    })
  }
}

/**
 * Removes one table at a time: a statement that still reads the generation locks several tables, and a transaction that
 * removes several tables would deadlock with it.
 */
async function dropTables(db: Kysely<QueryDatabase>, lease: LeaseRef, schema: string): Promise<void> {
  const { rows } = await sql<{ tablename: string }>`
    select tablename from pg_tables where schemaname = ${schema}`.execute(db)
  for (const { tablename } of rows) {
    const statement = `drop table ${quoted(schema)}.${quoted(tablename)}`
    await underLease(db, lease, (trx) => execute(trx, statement))
  }
}

function mirroredTableDdl(schema: string, table: MirroredTable): string {
  const columns = [
    ...table.key.map((column) => `${quoted(column.name)} ${column.type} not null`),
    ...table.columns.map((column) => `${quoted(column.name)} ${column.type}`),
    ...guardColumns.map(([name, type]) => `${quoted(name)} ${type}${type === "boolean" ? " not null" : ""}`),
  ]
  return `create table ${quoted(schema)}.${quoted(table.name)} (${columns.join(", ")}) with (fillfactor = 85)`
}

function derivedTableDdl(schema: string, model: DerivedModel): string {
  const columns = [
    ...model.groupBy.map((column) => `${quoted(column.name)} ${column.type} not null`),
    // Each amount fits into a bigint, but a sum of amounts need not fit.
    ...model.sums.map((name) => `${quoted(name)} numeric not null`),
  ]
  return `create table ${quoted(schema)}.${quoted(model.name)} (${columns.join(", ")}) with (fillfactor = 70)`
}

function recomputedTableDdl(schema: string, model: RecomputedModel): string {
  const columns = [
    ...model.key.map((column) => `${quoted(column.name)} ${column.type} not null`),
    ...model.columns.map((column) => `${quoted(column.name)} ${column.type}`),
  ]
  return `create table ${quoted(schema)}.${quoted(model.name)} (${columns.join(", ")}) with (fillfactor = 85)`
}
