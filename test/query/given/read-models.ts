// Read models filled by SQL, as if a projector had been here: a fresh query database with one live generation.
// Every change goes through `commit`, which moves the position in the same transaction, as an apply does.
import type { Kysely, Transaction } from "kysely"
import { sql } from "kysely"
import type pg from "pg"
import { createDatabase, createPool } from "../../../db/connect.ts"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import {
  createGenerationTables,
  deriveGeneration,
  indexGeneration,
} from "../../../query/cdc/generations/generations.ts"
import { orderProjections } from "../../../query/orders/projections.ts"
import { createQueryDatabase } from "../../support/databases.ts"

export const source = "orders"
export const history = { systemIdentifier: "7123456789012345678", timeline: 1 }

export type ReadModels = {
  db: Kysely<QueryDatabase>
  /** Pool as role reader. */
  reader: pg.Pool
  readerUrl: string
  adminUrl: string
  /** Makes the next generation as a copy of the live one (or empty), and does not switch to it. */
  addGeneration(generation: number, options?: { copyOf?: number; version?: string }): Promise<void>
  dropGeneration(generation: number): Promise<void>
  /** Runs the change, moves the position to the next one, and notes the transaction. @returns the position. */
  commit(
    change?: (trx: Transaction<QueryDatabase>) => Promise<void>,
    options?: CommitOptions,
  ): Promise<bigint>
}

/** Such read models with their databases, until they are closed. */
export type OpenReadModels = ReadModels & { close(): Promise<void> }

export type CommitOptions = { xid?: bigint; position?: bigint; notify?: boolean; generation?: number }

/** Milliseconds since 1970 of the heartbeat that the read models show. */
export const heartbeatAt = Date.UTC(2025, 10, 23, 12, 0, 0)

export async function createReadModels(name: string): Promise<OpenReadModels> {
  const database = await createQueryDatabase(name)
  const { adminUrl } = database
  const readerUrl = database.urlAs("reader")
  const db = createDatabase<QueryDatabase>(
    createPool({ url: adminUrl, applicationName: "test projector", maxConnections: 4 }),
  )
  const reader = createPool({ url: readerUrl, applicationName: "test reader", statementTimeoutMs: 10_000 })
  let position = 1_000n

  const models: OpenReadModels = {
    db,
    reader,
    readerUrl,
    adminUrl,
    async addGeneration(generation, { copyOf, version = orderProjections.version } = {}) {
      const schema = `read_${generation}`
      await db.transaction().execute(async (trx) => {
        await createGenerationTables(trx, schema, orderProjections)
        if (copyOf !== undefined) {
          for (const { name: table } of [
            ...orderProjections.tables,
            ...orderProjections.derived,
            ...orderProjections.recomputed,
          ]) {
            await sql`insert into ${sql.table(`${schema}.${table}`)}
              select * from ${sql.table(`read_${copyOf}.${table}`)}`.execute(trx)
          }
        }
        await indexGeneration(trx, schema, orderProjections)
        await sql`insert into cdc.generations (source, generation, schema_name, projection_version, state)
          values (${source}, ${generation}, ${schema}, ${version}, 'live')`.execute(trx)
        await sql`insert into cdc.progress
            (source, generation, lease_epoch, position, base_lsn, last_end, last_end_offset, heartbeat_at)
          values (${source}, ${generation}, 1, ${position}, 0, ${position}, 0, ${new Date(heartbeatAt)})`.execute(
          trx,
        )
      })
    },
    async dropGeneration(generation) {
      await sql`drop schema ${sql.id(`read_${generation}`)} cascade`.execute(db)
    },
    async commit(change, options = {}) {
      position = options.position ?? position + 10n
      const { xid = position, generation = 1 } = options
      await db.transaction().execute(async (trx) => {
        await sql`update cdc.progress set position = ${position}
          where source = ${source} and generation = ${generation}`.execute(trx)
        await sql`insert into cdc.applied_xids (source, xid, commit_lsn)
          values (${source}, ${xid}, ${position})`.execute(trx)
        await change?.(trx)
        if (options.notify !== false) await sql`select pg_notify('lockstep_position', ${source})`.execute(trx)
      })
      return position
    },
    async close() {
      await reader.end()
      await db.destroy()
      await database.drop()
    },
  }
  await sql`insert into cdc.sources (source, epoch, system_identifier, timeline, live_generation)
    values (${source}, 1, ${history.systemIdentifier}, ${history.timeline}, null)`.execute(db)
  return models
}

/** With an empty generation 1 that is live. */
export async function createLiveReadModels(name: string): Promise<OpenReadModels> {
  const models = await createReadModels(name)
  await models.addGeneration(1)
  await sql`update cdc.sources set live_generation = 1`.execute(models.db)
  return models
}

export type TestOrder = {
  id: string
  customerId?: string
  status?: string
  currency?: string
  subtotalMinor?: bigint
  discountMinor?: bigint
  capturedMinor?: bigint
  refundedMinor?: bigint
  country?: string
  note?: string
  createdAt?: string
  version?: number
  items?: readonly (readonly [productId: string, quantity: number, unitPriceMinor: bigint])[]
}

const guard = sql`false, 1, 1, 1, 1, 0, 0`
const guardNames = sql.raw(
  "deleted, guard_epoch, guard_commit_lsn, guard_lsn, xid, kafka_partition, kafka_offset",
)

export async function insertCustomer(
  db: Kysely<QueryDatabase>,
  id: string,
  schema = "read_1",
): Promise<void> {
  await sql`insert into ${sql.table(`${schema}.customers`)}
      (id, email, name, phone, address, version, created_at, updated_at, ${guardNames})
    values (${id}, ${`${id}@example.com`}, ${`Name of ${id}`}, null, '{"city":"Ulm"}', 1,
      '2025-01-01T00:00:00Z', '2025-01-01T00:00:00Z', ${guard})`.execute(db)
}

/** Inserts an order with its items and one event per version. */
export async function insertOrder(
  db: Kysely<QueryDatabase>,
  order: TestOrder,
  schema = "read_1",
): Promise<void> {
  const { id, customerId = "customer-1", status = "draft", currency = "USD", items = [], version = 1 } = order
  const subtotal = order.subtotalMinor ?? items.reduce((sum, [, n, price]) => sum + BigInt(n) * price, 0n)
  const discount = order.discountMinor ?? 0n
  const createdAt = order.createdAt ?? "2025-06-01T10:20:30.123456Z"
  await sql`insert into ${sql.table(`${schema}.orders`)}
      (id, customer_id, status, currency, subtotal_minor, discount_minor, shipping_minor, tax_minor, total_minor,
       captured_minor, refunded_minor, shipping_address, country, discount_codes, note, version, created_at,
       updated_at, ${guardNames})
    values (${id}, ${customerId}, ${status}, ${currency}, ${subtotal}, ${discount}, 0, 0, ${subtotal - discount},
      ${order.capturedMinor ?? 0n}, ${order.refundedMinor ?? 0n}, '{"city":"New York"}', ${order.country ?? null},
      '{}', ${order.note ?? null}, ${version}, ${createdAt}, ${createdAt}, ${guard})`.execute(db)
  for (const [index, [productId, quantity, price]] of items.entries()) {
    await sql`insert into ${sql.table(`${schema}.order_items`)}
        (order_id, line, product_id, quantity, unit_price_minor, reserved_quantity, shipped_quantity, created_at,
         updated_at, ${guardNames})
      values (${id}, ${index + 1}, ${productId}, ${quantity}, ${price}, 0, 0, ${createdAt}, ${createdAt}, ${guard})`.execute(
      db,
    )
  }
  for (let n = 1; n <= version; n++) {
    await sql`insert into ${sql.table(`${schema}.order_events`)}
        (order_id, version, type, payload, occurred_at, ${guardNames})
      values (${id}, ${n}, ${n === 1 ? "OrderCreated" : "OrderUpdated"}, ${`{"n":${n}}`}::jsonb, ${createdAt}, ${guard})`.execute(
      db,
    )
  }
}

/** Computes the derived models from the rows, as after a base load. */
export async function deriveAll(db: Kysely<QueryDatabase>, schema = "read_1"): Promise<void> {
  for (const model of [...orderProjections.derived, ...orderProjections.recomputed])
    await sql`truncate ${sql.table(`${schema}.${model.name}`)}`.execute(db)
  await deriveGeneration(db, schema, orderProjections)
}
