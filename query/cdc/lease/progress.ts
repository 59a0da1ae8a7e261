// The progress of a generation: position, last END, resume offset of each partition, transactions applied lately.
// Progress is written in the transaction that writes the rows and nowhere else, so it is exactly as true as the rows.
import { type Kysely, type RawBuilder, sql, type Transaction as Transaction_ } from "kysely"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import { type EndedTransaction, partitionKey, splitPartitionKey } from "../vocabulary/change.ts"
import { type Lsn, toLsn } from "../vocabulary/lsn.ts"
import { leaseIsAnothers } from "./lease.ts"

export type GenerationRef = { source: string; generation: number }

export type Progress = {
  /** Every transaction committed up to here is in the read models, and no transaction after it. */
  position: Lsn
  /** The base load holds every transaction up to here. */
  baseLsn: Lsn
  /** Commit LSN of the last END consumed, and its offset in the commit log, from which a restart reads. */
  lastEnd: Lsn
  lastEndOffset: bigint
  /** Next offset to read, by `topic/partition`, of the data topics. */
  resumeOffsets: Map<string, bigint>
  /** The source's clock in the last heartbeat applied. */
  heartbeatAt: Date | null
}

export async function readProgress(db: Kysely<QueryDatabase>, ref: GenerationRef): Promise<Progress | null> {
  return await db
    .transaction()
    .setIsolationLevel("repeatable read")
    .execute(async (trx) => {
      const row = await trx
        .selectFrom("cdc.progress")
        .selectAll()
        .where("source", "=", ref.source)
        .where("generation", "=", ref.generation)
        .executeTakeFirst()
      if (!row) return null
      const offsets = await trx
        .selectFrom("cdc.resume_offsets")
        .select(["topic", "partition", "next_offset"])
        .where("source", "=", ref.source)
        .where("generation", "=", ref.generation)
        .execute()
      return {
        position: toLsn(row.position),
        baseLsn: toLsn(row.base_lsn),
        lastEnd: toLsn(row.last_end),
        lastEndOffset: row.last_end_offset,
        heartbeatAt: row.heartbeat_at,
        resumeOffsets: new Map(
          offsets.map((offset) => [partitionKey(offset.topic, offset.partition), offset.next_offset]),
        ),
      }
    })
}

/**
 * Moves the position from `expected` to the last of `transactions`, under the lease, together with applied xids and
 * resume offsets. One statement does this, because every round trip of an apply delays the transactions behind it.
 * @throws EngineError (retry) when the lease is another's or the position is not the expected one: the
 * transaction around it must then abort.
 */
export async function advanceProgress(
  trx: Transaction_<QueryDatabase>,
  ref: GenerationRef,
  step: {
    leaseEpoch: bigint
    expected: Lsn
    transactions: readonly EndedTransaction[]
    /** Row changes in all of them. */
    changes: number
    resumeOffsets: ReadonlyMap<string, bigint>
    heartbeatAt: string | null
  },
): Promise<void> {
  const last = step.transactions.at(-1)
  if (!last) return
  const { rows } = await sql`
    with moved as (
      update cdc.progress
      set position = ${last.commitLsn}, last_end = ${last.commitLsn}, last_end_offset = ${last.endOffset},
          transactions = transactions + ${step.transactions.length}, changes = changes + ${step.changes},
          heartbeat_at = coalesce(${step.heartbeatAt}::timestamptz, heartbeat_at), applied_at = clock_timestamp()
      where source = ${ref.source} and generation = ${ref.generation}
        and lease_epoch = ${step.leaseEpoch} and position = ${step.expected}
      returning source, generation
    ), remembered as (
      insert into cdc.applied_xids (source, xid, commit_lsn)
      select moved.source, applied.* from moved, unnest(
        ${step.transactions.map(({ xid }) => xid)}::bigint[],
        ${step.transactions.map(({ commitLsn }) => String(commitLsn))}::bigint[]) applied
      on conflict do nothing
    ), resumed as (
      insert into cdc.resume_offsets as stored (source, generation, topic, partition, next_offset)
      select moved.source, moved.generation, entry.* from moved, ${unnestOffsets(step.resumeOffsets)} entry
      on conflict (source, generation, topic, partition) do update set next_offset = excluded.next_offset
    )
    select source from moved`.execute(trx)
  if (rows.length !== 1) throw leaseIsAnothers()
}

/**
 * Locks the progress under the lease, for writing read models without moving the position. @returns the position.
 * @throws EngineError (retry) when the lease is another's.
 */
export async function lockProgress(
  trx: Transaction_<QueryDatabase>,
  ref: GenerationRef,
  leaseEpoch: bigint,
): Promise<Lsn> {
  const row = await trx
    .selectFrom("cdc.progress")
    .select("position")
    .where("source", "=", ref.source)
    .where("generation", "=", ref.generation)
    .where("lease_epoch", "=", leaseEpoch)
    .forUpdate()
    .executeTakeFirst()
  if (!row) throw leaseIsAnothers()
  return toLsn(row.position)
}

/** Stores the offsets at which the partitions of a fresh generation begin. */
export async function storeResumeOffsets(
  trx: Transaction_<QueryDatabase>,
  ref: GenerationRef,
  offsets: ReadonlyMap<string, bigint>,
): Promise<void> {
  await sql`
    insert into cdc.resume_offsets (source, generation, topic, partition, next_offset)
    select ${ref.source}, ${ref.generation}::integer, entry.* from ${unnestOffsets(offsets)} entry`.execute(
    trx,
  )
}

/** SQL for rows of topic, partition and offset. */
function unnestOffsets(offsets: ReadonlyMap<string, bigint>): RawBuilder<unknown> {
  const partitions = [...offsets.keys()].map(splitPartitionKey)
  return sql`unnest(
    ${partitions.map(([topic]) => topic)}::text[],
    ${partitions.map(([, partition]) => partition)}::integer[],
    ${[...offsets.values()].map(String)}::bigint[])`
}

/** Tokens older than this are judged by position alone; heartbeats have long moved the position past them. */
const appliedXidsKeptMinutes = 10

export async function pruneAppliedXids(db: Kysely<QueryDatabase>, source: string): Promise<void> {
  await sql`
    delete from cdc.applied_xids
    where source = ${source} and applied_at < now() - make_interval(mins => ${appliedXidsKeptMinutes})`.execute(
    db,
  )
}
