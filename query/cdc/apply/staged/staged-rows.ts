// The staged table holds the row changes of one transaction that is too large for memory, until the transaction is
// whole. The table lies in the generation's schema, exists only while a transaction is staged, and is unlogged: after
// an interruption the follower begins without it, from the resume offsets. Its primary key removes copies and gives the
// order in which changes are applied: by LSN, and the new key's half of a primary key change before the old key's half.
// Every write to the table runs under the lease: a projector that lost the lease writes nothing here.
import { CompiledQuery, type Kysely, sql, type Transaction } from "kysely"
import { z } from "zod"
import type { QueryDatabase } from "../../../../db/query-schema.ts"
import { quoted } from "../../../../db/sql-names.ts"
import { leaseIsAnothers, leaseOf, lockLease, underLease } from "../../lease/lease.ts"
import type { RowChange } from "../../vocabulary/change.ts"
import { toLsn } from "../../vocabulary/lsn.ts"
import type { ApplyTarget } from "../apply.ts"
import { type StagedRow, toRecord } from "./staged-record.ts"

type Owner = Pick<ApplyTarget, "db" | "ref" | "schema" | "leaseEpoch">

const tableOf = ({ schema }: Pick<Owner, "schema">): string => `${quoted(schema)}.${quoted("_staged_rows")}`

/** Makes the table anew, empty. @throws EngineError (retry) when the lease is another's. */
export async function createStagedTable(owner: Owner): Promise<void> {
  await underLease(owner.db, leaseOf(owner), async (trx) => {
    await dropStagedTable(trx, owner)
    await execute(
      trx,
      `create unlogged table ${tableOf(owner)} (
         lsn bigint, is_delete boolean, identity uuid, table_name text not null, aggregate text not null,
         record text not null, primary key (lsn, is_delete, identity)
       ) with (autovacuum_enabled = false)`,
    )
  })
}

/** Removes the table that a former session has left. @throws EngineError (retry) when the lease is another's. */
export async function removeStagedTable(owner: Owner): Promise<void> {
  await underLease(owner.db, leaseOf(owner), (trx) => dropStagedTable(trx, owner))
}

/** To be called in a transaction that holds the progress row. */
export async function dropStagedTable(trx: Transaction<QueryDatabase>, owner: Owner): Promise<void> {
  await execute(trx, `drop table if exists ${tableOf(owner)}`)
}

/**
 * @returns how many of the row changes were not stored yet, by table.
 * @throws EngineError (retry) when the lease is another's.
 */
export async function writeStagedRows(
  owner: Owner,
  rows: readonly StagedRow[],
): Promise<Map<string, number>> {
  const { rows: answers } = await sql`
    with held as (${lockLease(leaseOf(owner))}), added as (
      insert into ${sql.raw(tableOf(owner))}
      select rows.* from held, unnest(
        ${rows.map(({ lsn }) => lsn)}::bigint[], ${rows.map(({ isDelete }) => isDelete)}::boolean[],
        ${rows.map(({ identity }) => identity)}::uuid[], ${rows.map(({ table }) => table)}::text[],
        ${rows.map(({ aggregate }) => aggregate)}::text[], ${rows.map(({ record }) => record)}::text[]) rows
      on conflict do nothing returning table_name
    )
    select (select count(*) from held)::integer as held,
      (select json_object_agg(table_name, rows)
       from (select table_name, count(*) as rows from added group by 1) by_table) as added`.execute(owner.db)
  const { held, added } = answerShape.parse(answers[0])
  if (held !== 1) throw leaseIsAnothers()
  return new Map(Object.entries(added ?? {}))
}

const answerShape = z.object({ held: z.number(), added: z.record(z.string(), z.number()).nullable() })

/** All row changes in the order in which they were made, about `rows` at a time; changes of one LSN stay together. */
export async function* readStagedChanges(
  trx: Transaction<QueryDatabase>,
  owner: Owner,
  rows: number,
): AsyncGenerator<RowChange[]> {
  await execute(
    trx,
    `declare staged_changes no scroll cursor for
     select lsn, record from ${tableOf(owner)} order by lsn, is_delete, identity`,
  )
  let rest: RowChange[] = []
  for (;;) {
    const fetched = await sql<{ lsn: bigint; record: string }>`
      fetch forward ${sql.lit(rows)} from staged_changes`.execute(trx)
    if (fetched.rows.length === 0) break
    rest.push(...fetched.rows.map(({ lsn, record }) => toRecord(toLsn(lsn), record)))
    const lastLsn = rest.at(-1)?.lsn
    const end = rest.findIndex(({ lsn }) => lsn === lastLsn)
    if (end > 0) yield rest.slice(0, end)
    rest = rest.slice(end)
  }
  if (rest.length > 0) yield rest
  await execute(trx, "close staged_changes")
}

/**
 * The aggregates that rows of these tables belong to, each once, about `count` at a time. An aggregate is left out
 * if an insert or update of its rows in the table `except` is staged.
 */
export async function* readStagedAggregates(
  trx: Transaction<QueryDatabase>,
  owner: Owner,
  tables: readonly string[],
  count: number,
  except = "",
): AsyncGenerator<string[]> {
  await sql`
    declare staged_aggregates no scroll cursor for
    select aggregate from ${sql.raw(tableOf(owner))}
    where table_name in (${sql.join(tables.map((table) => sql.lit(table)))})
    except select aggregate from ${sql.raw(tableOf(owner))}
    where table_name = ${sql.lit(except)} and not is_delete`.execute(trx)
  for (;;) {
    const { rows } = await sql<{ aggregate: string }>`
      fetch forward ${sql.lit(count)} from staged_aggregates`.execute(trx)
    if (rows.length === 0) break
    yield rows.map(({ aggregate }) => aggregate)
  }
  await execute(trx, "close staged_aggregates")
}

const execute = async (db: Kysely<QueryDatabase>, text: string): Promise<void> => {
  await db.executeQuery(CompiledQuery.raw(text))
}
