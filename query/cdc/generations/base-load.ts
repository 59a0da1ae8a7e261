// Fills a fresh generation: an exported snapshot of the source at C is copied table by table, derived models are
// computed once, and the generation is handed over with the position C and the offsets in the topics to follow from.
// These offsets are noted before C, so every change committed after C lies behind them. Example: offset 40 is noted,
// then C is 800; the assembler passes over records from 40 on that were committed up to 800.
// An interrupted load leaves a generation in state `loading`, and the next load removes it. Every write stands under
// the lease: a projector that lost the lease can neither fill, switch nor remove a generation.
import { Transform } from "node:stream"
import { pipeline } from "node:stream/promises"
import type { Kysely, Transaction } from "kysely"
import type pg from "pg"
import copyStreams from "pg-copy-streams"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import { quoted } from "../../../db/sql-names.ts"
import { forgetErasedBefore } from "../apply/erasure.ts"
import type { CacheFence } from "../cache/fence.ts"
import { settleByBaseLoad } from "../dead-letters/park.ts"
import { type LeaseRef, leaseIsAnothers, lockLease, underLease } from "../lease/lease.ts"
import { storeResumeOffsets } from "../lease/progress.ts"
import type { MirroredTable, Projections } from "../projection/projection.ts"
import { EngineError } from "../vocabulary/errors.ts"
import { findSource, readSourceIdentity, type SourceIdentity, sameHistory } from "../vocabulary/history.ts"
import type { Lsn } from "../vocabulary/lsn.ts"
import { exportSnapshot } from "./exported-snapshot.ts"
import { tellGap } from "./gap-events.ts"
import {
  beginGeneration,
  deriveGeneration,
  dropIdleGenerations,
  findLiveGeneration,
  type Generation,
  indexGeneration,
  switchGeneration,
} from "./generations.ts"
import { assertSourceColumns } from "./source-columns.ts"

/** Offsets of the topics before the snapshot was taken. */
export type StartOffsets = {
  /** The identity of the source that the topics were captured from. */
  identity: SourceIdentity
  lastEnd: Lsn
  lastEndOffset: bigint
  /** End offsets of the data topics, by `topic/partition`. */
  endOffsets: ReadonlyMap<string, bigint>
}

export type LoadProgress = { step: string; rowsLoaded: number; rowsExpected: number }

export type BaseLoadOptions = {
  db: Kysely<QueryDatabase>
  /** Pool of the same database, for the COPY streams. */
  pool: pg.Pool
  sourceUrl: string
  lease: LeaseRef
  projections: Projections
  cacheFence: CacheFence
  /** Resolves once the commit log holds an END; a load cannot begin before capture does. */
  noteOffsets: () => Promise<StartOffsets>
  onProgress: (progress: LoadProgress) => void
  signal: AbortSignal
}

/** @returns the generation, complete and serving. */
export async function loadBase(options: BaseLoadOptions): Promise<Generation> {
  const { db, lease, projections } = options
  const { source } = lease
  await dropIdleGenerations(db, lease)
  options.onProgress({ step: "waiting for the commit log", rowsLoaded: 0, rowsExpected: 0 })
  const offsets = await options.noteOffsets()
  options.onProgress({ step: "taking a snapshot of the source", rowsLoaded: 0, rowsExpected: 0 })
  const snapshot = await exportSnapshot(options.sourceUrl)
  let session: pg.Client | null = null
  try {
    session = await snapshot.openSession()
    await snapshot.close()
    await assertSourceColumns(session, projections.tables)
    const identity = await readSourceIdentity(session)
    assertCaptured(identity, offsets.identity)
    const known = await findSource(db, source)
    const epoch = known ? known.epoch + (sameHistory(known, identity) ? 0 : 1) : 1
    const heartbeatAt = await readHeartbeat(session, projections.heartbeatTable)
    const generation = await beginGeneration(db, lease, projections)
    await copyTables(options, session, generation, epoch, snapshot.consistentPoint)
    options.onProgress({ step: "building indexes", rowsLoaded: 0, rowsExpected: 0 })
    await underLease(db, lease, (trx) => indexGeneration(trx, generation.schema, projections))
    options.onProgress({ step: "computing derived models", rowsLoaded: 0, rowsExpected: 0 })
    await underLease(db, lease, (trx) => deriveGeneration(trx, generation.schema, projections))
    // The snapshot holds the transactions of all ENDs that were noted before it.
    const position = snapshot.consistentPoint
    const cacheEpoch = await underLease(db, lease, async (trx) => {
      await trx
        .insertInto("cdc.progress")
        .values({
          source,
          generation: generation.generation,
          lease_epoch: lease.leaseEpoch,
          position,
          base_lsn: snapshot.consistentPoint,
          last_end: offsets.lastEnd,
          last_end_offset: offsets.lastEndOffset,
          heartbeat_at: heartbeatAt,
        })
        .execute()
      await storeResumeOffsets(trx, generation, offsets.endOffsets)
      await trx
        .updateTable("cdc.generations")
        .set({ base_lsn: snapshot.consistentPoint })
        .where("source", "=", source)
        .where("generation", "=", generation.generation)
        .execute()
      const raised = await storeSource(trx, source, epoch, identity)
      const former = await findLiveGeneration(trx, source)
      await tellGap(trx, { projections, next: generation, former, base: position })
      await switchGeneration(trx, generation)
      await settleByBaseLoad(trx, generation)
      await forgetErasedBefore(trx, { ...options, ref: generation, schema: generation.schema })
      // The fence is last before the commit: after it no cached answer of the former generation is served.
      await options.cacheFence.fence(position, "all")
      return raised
    })
    options.cacheFence.announce({ cacheEpoch, generation: generation.generation, position, heartbeatAt })
    await dropIdleGenerations(db, lease)
    return generation
  } finally {
    await session?.end()
    await snapshot.close().catch(() => {})
  }
}

/** If the load read one database and the topics held another, the result would be neither's history: the load waits. */
function assertCaptured(loaded: SourceIdentity, captured: SourceIdentity): void {
  if (sameHistory(loaded, captured)) return
  throw new EngineError(
    "dependency-down",
    `The newest heartbeat in the topics comes from system ${captured.systemIdentifier} timeline ${captured.timeline}, but the database to load from is system ${loaded.systemIdentifier} timeline ${loaded.timeline}. The load waits until the connector captures that database.`,
  )
}

/** @returns the new cache epoch: answers cached before belong to another generation. */
async function storeSource(
  trx: Transaction<QueryDatabase>,
  source: string,
  epoch: number,
  identity: SourceIdentity,
): Promise<bigint> {
  const { systemIdentifier: system_identifier, timeline } = identity
  const stored = await trx
    .insertInto("cdc.sources")
    .values({ source, epoch, system_identifier, timeline, live_generation: null })
    .onConflict((conflict) =>
      conflict.column("source").doUpdateSet((eb) => ({
        epoch,
        system_identifier,
        timeline,
        cache_epoch: eb("cdc.sources.cache_epoch", "+", 1n),
      })),
    )
    .returning("cache_epoch")
    .executeTakeFirstOrThrow()
  return stored.cache_epoch
}

async function copyTables(
  options: BaseLoadOptions,
  session: pg.Client,
  generation: Generation,
  epoch: number,
  consistentPoint: Lsn,
): Promise<void> {
  const rowsExpected = await estimateRows(session, options.projections.tables)
  let rowsLoaded = 0
  for (const table of options.projections.tables) {
    const report = () => options.onProgress({ step: `copying ${table.name}`, rowsLoaded, rowsExpected })
    report()
    const target = await options.pool.connect()
    try {
      await target.query("begin")
      const held = lockLease(options.lease).compile(options.db)
      if ((await target.query(held.sql, [...held.parameters])).rowCount !== 1) throw leaseIsAnothers()
      const from = session.query(copyStreams.to(copyOut(table, epoch, consistentPoint)))
      const to = target.query(
        copyStreams.from(`copy ${quoted(generation.schema)}.${quoted(table.name)} from stdin`),
      )
      const count = countLines((lines) => {
        rowsLoaded += lines
        report()
      })
      await pipeline(from, count, to, { signal: options.signal })
      await target.query("commit")
      target.release()
    } catch (error) {
      target.release(true)
      throw error
    }
  }
  await underLease(options.db, options.lease, async (trx) => {
    await trx
      .updateTable("cdc.generations")
      .set({ rows_loaded: BigInt(rowsLoaded), rows_expected: BigInt(rowsExpected) })
      .where("source", "=", generation.source)
      .where("generation", "=", generation.generation)
      .execute()
  })
}

/** The guard of a loaded row is (epoch, C, 0): any change committed after C is newer, any change before C is older. */
function copyOut(table: MirroredTable, epoch: number, consistentPoint: Lsn): string {
  const columns = [...table.key, ...table.columns].map((column) => quoted(column.name))
  return `copy (select ${columns.join(", ")}, false, ${epoch}, ${consistentPoint}, 0, null, null, null
          from public.${quoted(table.name)}) to stdout`
}

/** The source's clock at the last heartbeat that the snapshot holds. */
async function readHeartbeat(session: pg.Client, table: string): Promise<Date | null> {
  const { rows } = await session.query<{ beat_at: Date | null }>(
    `select max(beat_at) as beat_at from public.${quoted(table)}`,
  )
  return rows[0]?.beat_at ?? null
}

async function estimateRows(session: pg.Client, tables: readonly MirroredTable[]): Promise<number> {
  const { rows } = await session.query<{ estimate: string }>(
    `select coalesce(sum(greatest(reltuples, 0)), 0)::text as estimate from pg_class
     where relnamespace = 'public'::regnamespace and relname = any($1)`,
    [tables.map((table) => table.name)],
  )
  return Math.round(Number(rows[0]?.estimate ?? 0))
}

/** COPY's text format has one line feed per row: line feeds inside values are escaped. */
function countLines(onLines: (lines: number) => void): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      let lines = 0
      for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) lines++
      onLines(lines)
      done(null, chunk)
    },
  })
}
