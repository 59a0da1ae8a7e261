// The dead letters of a generation as operations see them: choosing, reading and settling them.
import {
  type Expression,
  type ExpressionBuilder,
  type Kysely,
  type SqlBool,
  sql,
  type Transaction as Transaction_,
} from "kysely"
import { z } from "zod"
import type { DeadLetterState, QueryDatabase } from "../../../db/query-schema.ts"
import type { GenerationRef } from "../lease/progress.ts"
import type { RawRecord } from "../vocabulary/change.ts"
import { type Lsn, toLsn } from "../vocabulary/lsn.ts"
import { type LaterChanges, readLaterChanges } from "./later-changes.ts"

/** Which dead letters an operation is about; without any member, all that are parked. */
export const filterShape = z.object({
  ids: z.array(z.string()).optional(),
  table: z.string().optional(),
  code: z.string().optional(),
  /** First part of the row's key. */
  aggregate: z.string().optional(),
})
export type DeadLetterFilter = z.infer<typeof filterShape>

export type StoredDeadLetter = {
  id: bigint
  raw: RawRecord
  table: string
  key: readonly string[] | null
  xid: bigint | null
  lsn: bigint | null
  /** Commit LSN of its transaction; an unreadable record may have been taken for a row of another transaction. */
  commitLsn: Lsn | null
  /** Whether it is known which transaction misses the record, or that no transaction does. */
  isPlaced: boolean
  later: LaterChanges
}

/** Whether a dead letter fits the filter. */
export const fits =
  ({ ids, table, code, aggregate }: DeadLetterFilter) =>
  (eb: ExpressionBuilder<QueryDatabase, "cdc.dead_letters">): Expression<SqlBool> =>
    eb.and([
      ...(ids === undefined ? [] : [eb("id", "in", ids.map(BigInt))]),
      ...(table === undefined ? [] : [eb("table_name", "=", table)]),
      ...(code === undefined ? [] : [eb("code", "=", code)]),
      ...(aggregate === undefined ? [] : [eb(sql<string>`row_key[1]`, "=", aggregate)]),
    ])

/** Ids of the parked dead letters that fit, in the order of history; dead letters of unknown place come last. */
export async function chooseDeadLetters(
  db: Kysely<QueryDatabase>,
  ref: GenerationRef,
  filter: DeadLetterFilter,
  /** Dead letters that this request has tried already, or that were tried `maxAttempts` times, are left out. */
  tried: { request: bigint; maxAttempts: number } | null,
): Promise<bigint[]> {
  let query = db
    .selectFrom("cdc.dead_letters")
    .select("id")
    .where("source", "=", ref.source)
    .where("generation", "=", ref.generation)
    .where("state", "=", "parked")
    .where(fits(filter))
  if (tried) {
    query = query
      .where((eb) => eb.or([eb("last_request", "is", null), eb("last_request", "!=", tried.request)]))
      .where("attempts", "<", tried.maxAttempts)
  }
  const rows = await query
    .orderBy("commit_lsn", (by) => by.asc().nullsLast())
    .orderBy("lsn", (by) => by.asc().nullsLast())
    .orderBy("id")
    .execute()
  return rows.map(({ id }) => id)
}

/** Reads a dead letter with the other half of its primary key change, which shares table, transaction and LSN. */
export async function readUnit(
  db: Kysely<QueryDatabase>,
  ref: GenerationRef,
  id: bigint,
): Promise<StoredDeadLetter[]> {
  const rows = await db
    .selectFrom("cdc.dead_letters as entry")
    .innerJoin("cdc.dead_letters as d", (join) =>
      join
        .onRef("d.source", "=", "entry.source")
        .onRef("d.generation", "=", "entry.generation")
        .onRef("d.table_name", "=", "entry.table_name")
        .on((eb) =>
          eb.or([
            eb("d.id", "=", eb.ref("entry.id")),
            eb.and([eb("d.xid", "=", eb.ref("entry.xid")), eb("d.lsn", "=", eb.ref("entry.lsn"))]),
          ]),
        ),
    )
    .selectAll("d")
    .where("entry.id", "=", id)
    .where("d.source", "=", ref.source)
    .where("d.generation", "=", ref.generation)
    .where("d.state", "=", "parked")
    .orderBy("d.id")
    .execute()
  return rows.map((row) => ({
    id: row.id,
    raw: {
      topic: row.topic,
      partition: row.partition,
      offset: row.kafka_offset,
      key: row.record_key,
      value: row.record_value,
      headers: readHeaders(row.record_headers),
    },
    table: row.table_name,
    key: row.row_key,
    xid: row.xid,
    lsn: row.lsn,
    commitLsn: row.commit_lsn === null ? null : toLsn(row.commit_lsn),
    isPlaced: row.is_placed,
    later: readLaterChanges(row),
  }))
}

/** Commit LSN of the transaction after `previous`, if that transaction has missed an unreadable record; else null. */
export async function findMissing(
  db: Kysely<QueryDatabase>,
  ref: GenerationRef,
  previous: Lsn,
): Promise<Lsn | null> {
  const row = await db
    .selectFrom("cdc.dead_letters")
    .select("commit_lsn")
    .where("source", "=", ref.source)
    .where("generation", "=", ref.generation)
    .where("previous_commit_lsn", "=", previous)
    .limit(1)
    .executeTakeFirst()
  return row?.commit_lsn == null ? null : toLsn(row.commit_lsn)
}

function readHeaders(stored: unknown): RawRecord["headers"] {
  if (typeof stored !== "object" || stored === null) return {}
  return Object.fromEntries(
    Object.entries(stored).map(([name, value]) => [name, Buffer.from(String(value), "base64")]),
  )
}

/** Settles a dead letter. @returns false when it is parked no longer. */
export async function settleDeadLetter(
  trx: Transaction_<QueryDatabase>,
  id: bigint,
  state: Exclude<DeadLetterState, "parked">,
  request: bigint,
): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable("cdc.dead_letters")
    .set({ state, resolved_at: new Date(), last_request: request, last_error: null })
    .where("id", "=", id)
    .where("state", "=", "parked")
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

/** Removes the raw records of dead letters that are of no more use; none of them is published any more. */
export async function dropBytes(trx: Transaction_<QueryDatabase>, ids: readonly bigint[]): Promise<void> {
  if (ids.length === 0) return
  await trx
    .updateTable("cdc.dead_letters")
    .set((eb) => ({
      record_key: null,
      record_value: null,
      record_headers: "{}",
      message: "erased",
      published_at: eb.fn.coalesce("published_at", sql<Date>`now()`),
    }))
    .where("id", "in", ids)
    .execute()
}

/** Notes that a dead letter could still not be applied. */
export async function noteFailure(
  trx: Transaction_<QueryDatabase>,
  id: bigint,
  error: string,
  request: bigint,
): Promise<void> {
  await trx
    .updateTable("cdc.dead_letters")
    .set((eb) => ({ attempts: eb("attempts", "+", 1), last_error: error, last_request: request }))
    .where("id", "=", id)
    .execute()
}
