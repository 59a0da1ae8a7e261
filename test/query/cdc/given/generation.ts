// One generation in a database of its own, made and written as the projector does it, with the cache left out.
import type { Kysely } from "kysely"
import pg from "pg"
import { createDatabase, createPool } from "../../../../db/connect.ts"
import type { QueryDatabase } from "../../../../db/query-schema.ts"
import { type Applied, type ApplyTarget, applyTransactions } from "../../../../query/cdc/apply/apply.ts"
import type { CacheFence } from "../../../../query/cdc/cache/fence.ts"
import {
  beginGeneration,
  indexGeneration,
  switchGeneration,
} from "../../../../query/cdc/generations/generations.ts"
import { acquireLease, projectorConnectionName } from "../../../../query/cdc/lease/lease.ts"
import type { MirroredTable, Projections } from "../../../../query/cdc/projection/projection.ts"
import {
  type DataRecord,
  type Row,
  type Transaction,
  type Unavailable,
  unavailable,
  type Value,
} from "../../../../query/cdc/vocabulary/change.ts"
import type { Lsn } from "../../../../query/cdc/vocabulary/lsn.ts"
import { createQueryDatabase } from "../../../support/databases.ts"
import { openedForFile } from "../../../support/opened.ts"
import { lsn, rowChange } from "./records.ts"

export const source = "orders"
export const holder = "test"

export type TestGeneration = {
  /** As role projector, under the holder's connection name. */
  db: Kysely<QueryDatabase>
  /** As superuser. */
  admin: pg.Pool
  urlAs: (role: "projector" | "reader") => string
  target: ApplyTarget
  schema: string
  /** Applies whole transactions after what was applied before. */
  apply: (transactions: readonly Transaction[], under?: Partial<ApplyTarget>) => Promise<Applied>
  position: () => Lsn
  /** Empties every table and begins anew at position 0. */
  empty: () => Promise<void>
  /** Begins anew at position 0, and keeps the rows. */
  rewind: () => Promise<void>
}

export const withoutCache: CacheFence = {
  start: () => {},
  succeed: () => {},
  stop: async () => {},
  fence: async () => "fenced",
  forget() {},
  announce: () => {},
}

/** A generation for all tests of the file. */
export function givenGeneration(name: string, projections: Projections): TestGeneration {
  const generation = openedForFile(
    () => createTestGeneration(name, projections),
    (opened) => opened.close(),
  )
  return {
    get db() {
      return generation().db
    },
    get admin() {
      return generation().admin
    },
    get target() {
      return generation().target
    },
    get schema() {
      return generation().schema
    },
    urlAs: (role) => generation().urlAs(role),
    apply: (transactions, under) => generation().apply(transactions, under),
    position: () => generation().position(),
    empty: () => generation().empty(),
    rewind: () => generation().rewind(),
  }
}

export async function createTestGeneration(
  name: string,
  projections: Projections,
): Promise<TestGeneration & { close: () => Promise<void> }> {
  const database = await createQueryDatabase(name)
  const admin = new pg.Pool({ connectionString: database.adminUrl, max: 4 })
  // A backend that a test kills is no failure of the test.
  admin.on("error", () => {})
  const db = createDatabase<QueryDatabase>(
    createPool({
      url: database.urlAs("projector"),
      applicationName: projectorConnectionName(holder),
      maxConnections: 4,
    }),
  )
  const lease = await acquireLease(db, { source, holder, ttlMs: 600_000 })
  if (!lease) throw new Error("the lease of a fresh database is taken")
  const generation = await beginGeneration(db, lease, projections)
  await indexGeneration(db, generation.schema, projections)
  const ref = { source, generation: generation.generation }
  await db
    .insertInto("cdc.sources")
    .values({ source, epoch: 1, system_identifier: "1", timeline: 1, live_generation: null })
    .execute()
  const { leaseEpoch } = lease
  const insertProgress = () =>
    db
      .insertInto("cdc.progress")
      .values({
        ...ref,
        lease_epoch: leaseEpoch,
        position: 0n,
        base_lsn: 0n,
        last_end: 0n,
        last_end_offset: 0n,
        heartbeat_at: null,
      })
      .execute()
  await insertProgress()
  await db.transaction().execute((trx) => switchGeneration(trx, generation))
  const { schema } = generation
  const target: ApplyTarget = { db, projections, ref, schema, epoch: 1, leaseEpoch, cacheFence: withoutCache }
  let position = lsn(0)
  const rewind = async () => {
    await admin.query("truncate cdc.progress, cdc.resume_offsets, cdc.applied_xids, cdc.dead_letters")
    await insertProgress()
    position = lsn(0)
  }

  return {
    db,
    admin,
    urlAs: (role) => database.urlAs(role),
    target,
    schema,
    async apply(transactions, under = {}) {
      const applied = await applyTransactions(
        { ...target, ...under },
        { expected: position, transactions, resumeOffsets: new Map(), heartbeatAt: null },
      )
      position = transactions.at(-1)?.commitLsn ?? position
      return applied
    },
    position: () => position,
    async empty() {
      for (const { name: table } of [
        ...projections.tables,
        ...projections.derived,
        ...projections.recomputed,
      ]) {
        await admin.query(`truncate ${schema}.${table}`)
      }
      await rewind()
    },
    rewind,
    async close() {
      await db.destroy()
      await admin.end()
      await database.drop()
    },
  }
}

export const transaction = (commitLsn: number, records: readonly DataRecord[]): Transaction => ({
  xid: String(commitLsn),
  commitLsn: lsn(commitLsn),
  endOffset: BigInt(commitLsn),
  records,
})

export type Values = Readonly<Record<string, Value | Unavailable>>

/** A row of a mirrored table from values by column name; the others are null. */
export const rowOf = ({ key, columns }: MirroredTable, values: Values): Row =>
  [...key, ...columns].map(({ name }) => values[name] ?? null)

/** An upsert of a mirrored table at an LSN; of a changed primary key, its half under the new one is a "c". */
export function upsert(table: MirroredTable, at: number, values: Values, op: "c" | "u" = "u"): DataRecord {
  const key = table.key.map(({ name }) => {
    const part = values[name]
    return part === undefined || part === unavailable ? null : part
  })
  return rowChange({
    table: table.name,
    key,
    op,
    lsn: at,
    previous: 0,
    offset: at,
    row: rowOf(table, values),
  })
}

export const remove = (table: MirroredTable, at: number, ...key: Value[]): DataRecord =>
  rowChange({ table: table.name, key, op: "d", lsn: at, previous: 0, offset: at })

export function tableOf(projections: Projections, name: string): MirroredTable {
  const table = projections.tables.find((one) => one.name === name)
  if (!table) throw new Error(`${name} is not mirrored`)
  return table
}
