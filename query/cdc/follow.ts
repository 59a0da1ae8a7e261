// Follows the commit log for one generation under one lease: what the intake hands over is assembled, whole
// transactions are applied in batches, until it is told to stop or something goes wrong. It keeps nothing that a
// restart would need: every start, and every rejoin of a consumer, begins with what Postgres says.
import type { Logger } from "pino"
import type { ApplyStep, ApplyTarget } from "./apply.ts"
import { type Assembler, createAssembler } from "./assemble.ts"
import type { DataRecord, Transaction } from "./change.ts"
import { type Parking, type Placement, readParked } from "./dead-letters.ts"
import type { SourceTable } from "./decode.ts"
import { EngineError } from "./errors.ts"
import { findHeartbeat, heartbeatTable, readHeartbeat } from "./heartbeat.ts"
import { createIntake, type IntakeStart } from "./intake.ts"
import type { KafkaAccess } from "./kafka.ts"
import { formatLsn, type Lsn } from "./lsn.ts"
import { applyOrPark, createParkingPlace, type ParkingPlace } from "./parking.ts"
import { createPatience } from "./patience.ts"
import { readProgress } from "./progress.ts"
import type { FetchCommittedLsn } from "./proof.ts"
import type { FetchSchema } from "./schema-registry.ts"
import { type Source, sameHistory, sourceChanged } from "./source.ts"

export type FollowerDeps = {
  target: ApplyTarget
  source: Source
  topicPrefix: string
  kafka: KafkaAccess
  fetchSchema: FetchSchema
  fetchCommittedLsn: FetchCommittedLsn
  /** Group under which progress is shown to lag tools. */
  lagGroupId: string
  /** Unique per attempt: a fresh group does not wait for a dead member's session to expire. */
  groupId: string
  maxPendingBytes: number
  /** Most changes that may be parked. */
  deadLetterLimit: number
  log: Logger
}

/** What the follower is doing, for the status; `waitingFor` is null while nothing is overdue. */
export type FollowerState = {
  position: Lsn
  waitingFor: string | null
  pendingBytes: number
  transactions: number
  changes: number
  disturbed: number
  staleRows: number
  /** Changes that this follower has parked. */
  parked: number
}

export type Follower = {
  start: () => Promise<void>
  /** Rejects with what ended the following; never resolves. */
  failed: Promise<never>
  /** Null until it has begun. */
  state: () => FollowerState | null
  /** Does something else with the read models, between two applies. Rejects as the work does. */
  between: (work: () => Promise<void>) => Promise<void>
  /** Resolves when the apply in flight is over and the consumers are closed. */
  stop: () => Promise<void>
}

/** Rows per Postgres transaction at which a batch is closed; nothing ever waits for a batch to fill. */
const batchRows = 2_000
const tickMs = 50
const publishOffsetsMs = 5_000
const storeOffsetsMs = 250

type Session = {
  assembler: Assembler
  position: Lsn
  /** Resume offsets as Postgres has them. */
  stored: Map<string, bigint>
  /** When they are to be stored again, by the monotonic clock. */
  offsetsDueAt: number
  parking: ParkingPlace
}

type Released = { transactions: Transaction[]; placements: Placement[] }

export function createFollower(deps: FollowerDeps): Follower {
  const { target, log } = deps
  const { projections } = target
  const tables: SourceTable[] = [...projections.tables, heartbeatTable(projections.heartbeatTable)]
  const totals = { transactions: 0, changes: 0, staleRows: 0, parked: 0 }
  const timers: NodeJS.Timeout[] = []
  let session: Session | null = null
  let applying: Promise<void> | null = null
  let heartbeatAt: Date | null = null

  let reject = (_error: unknown): void => {}
  const failed = new Promise<never>((_, onReject) => {
    reject = onReject
  })
  // Whoever starts the follower also waits for `failed`; until then it must not count as unhandled.
  failed.catch(() => {})

  const intake = createIntake({
    ...deps,
    tables,
    begin,
    takeRecord,
    takeUnreadable: (change) => {
      session?.assembler.addUnreadable({ origin: change.raw, table: change.table })
      session?.parking.add(change)
    },
    takeEntry: (entry) => {
      patience.heard()
      session?.assembler.addEntry(entry)
    },
    taken: pump,
    fail,
  })
  const patience = createPatience({
    fetchCommittedLsn: deps.fetchCommittedLsn,
    endOffsets: intake.endOffsets,
    log,
  })

  return {
    async start() {
      await intake.start()
      timers.push(setInterval(tick, tickMs), setInterval(publishOffsets, publishOffsetsMs))
    },
    failed,
    state: () =>
      session && {
        position: session.position,
        waitingFor: patience.describe(),
        pendingBytes: session.assembler.pendingBytes(),
        disturbed: patience.disturbed(),
        ...totals,
      },
    async between(work) {
      while (applying) await applying.catch(() => {})
      if (!session) return
      const current = session
      applying = work()
        .then(async () => current.parking.reset((await readParked(target.db, target.ref)).rows))
        .finally(() => {
          applying = null
          pump()
        })
      await applying
    },
    async stop() {
      for (const timer of timers) clearInterval(timer)
      session = null
      await applying?.catch(() => {})
      await intake.stop()
    },
  }

  /** Whatever went wrong, what is in memory may be ahead of Postgres: nothing more is taken or applied. */
  function fail(error: unknown): void {
    session = null
    reject(error)
  }

  /** Empties the assembler and starts anew from what Postgres says. */
  async function begin(): Promise<IntakeStart> {
    session = null
    await applying?.catch(() => {})
    const progress = await readProgress(target.db, target.ref)
    if (!progress) {
      throw new EngineError("misconfigured", `Generation ${target.ref.generation} has no progress.`)
    }
    const parked = await readParked(target.db, target.ref)
    patience.reset()
    heartbeatAt = progress.heartbeatAt
    const assembler = createAssembler({
      lastEnd: progress.lastEnd,
      baseLsn: progress.baseLsn,
      tables: new Set(tables.map((table) => `public.${table.name}`)),
    })
    for (const record of parked.unplaced) assembler.addUnreadable(record)
    session = {
      assembler,
      parking: createParkingPlace({ rows: parked.rows, limit: deps.deadLetterLimit }),
      position: progress.position,
      stored: new Map(progress.resumeOffsets),
      offsetsDueAt: 0,
    }
    log.info(
      {
        generation: target.ref.generation,
        position: formatLsn(progress.position),
        lastEnd: formatLsn(progress.lastEnd),
      },
      "following the commit log",
    )
    return progress
  }

  /**
   * Memory is bounded by pausing partitions. Only one whose newest record belongs to a transaction after the head
   * may pause: the head's rows in it have been read, so waiting for the head cannot wait for this partition.
   */
  function takeRecord(record: DataRecord): void {
    const assembler = session?.assembler
    if (!assembler) return
    assertSameSource(record)
    assembler.addRecord(record)
    if (assembler.pendingBytes() > deps.maxPendingBytes && assembler.isBeyondHead(record))
      intake.pause(record)
  }

  /**
   * Looks at every heartbeat as it comes in: positions of another cluster may be lower than ours, and its changes
   * would pass for old ones. A re-sent heartbeat of the time before a promotion is older than the last one applied.
   */
  function assertSameSource(record: DataRecord): void {
    const heartbeat = readHeartbeat(record, projections.heartbeatTable)
    if (!heartbeat || sameHistory(deps.source, heartbeat)) return
    if (heartbeatAt === null || new Date(heartbeat.beatAt) > heartbeatAt) {
      throw sourceChanged(deps.source, heartbeat)
    }
  }

  /** Takes as many transactions as are complete, applies them, and goes on until nothing is. */
  function pump(): void {
    const current = session
    if (!current || applying) return
    try {
      const released = releaseBatch(current)
      if (released.transactions.length === 0) return
      applying = apply(current, released)
        .catch(fail)
        .finally(() => {
          applying = null
          pump()
        })
    } catch (error) {
      fail(error)
    }
  }

  function releaseBatch({ assembler }: Session): Released {
    const transactions: Transaction[] = []
    const placements: Placement[] = []
    try {
      for (let rows = 0; rows < batchRows; rows += transactions.at(-1)?.records.length ?? 0) {
        const next = assembler.next()
        patience.note(next)
        if (next.state !== "released") break
        const { commitLsn } = next.transaction
        transactions.push(next.transaction)
        placements.push(...next.unreadable.map(({ origin }) => ({ origin, commitLsn })))
      }
    } catch (error) {
      // What comes before the fault is whole: it is applied first, and the next look meets the fault again.
      if (transactions.length === 0) throw error
    }
    placements.push(...assembler.takeSettled().map((origin) => ({ origin, commitLsn: null })))
    return { transactions, placements }
  }

  async function apply(current: Session, { transactions: released, placements }: Released): Promise<void> {
    const heartbeat = findHeartbeat(released, projections.heartbeatTable)
    const moved = movedOffsets(current)
    const parking = current.parking.take(placements)
    const step: ApplyStep = {
      expected: current.position,
      transactions: released,
      resumeOffsets: moved,
      heartbeatAt: heartbeat?.beatAt ?? null,
      ...(parking ? { parking } : {}),
    }
    const { applied, parked } = await applyOrPark(target, step, deps.deadLetterLimit, deps.kafka.readRecords)
    if (parked) noteParked(current, parked)
    for (const [partition, offset] of moved) current.stored.set(partition, offset)
    current.position = released.at(-1)?.commitLsn ?? current.position
    if (heartbeat) heartbeatAt = new Date(heartbeat.beatAt)
    totals.transactions += released.length
    totals.changes += applied.rows
    totals.staleRows += applied.stale
    target.cacheFence.announce({
      cacheEpoch: applied.cacheEpoch,
      generation: target.ref.generation,
      position: current.position,
      heartbeatAt,
    })
    const { assembler, position } = current
    const isRoomy = assembler.pendingBytes() < deps.maxPendingBytes / 2
    // However full memory is, the rows of the new head must be read.
    intake.resumeWhere((partition) => isRoomy || !assembler.isReadBeyondHead(partition))
    log.debug({ transactions: released.length, rows: applied.rows, position: formatLsn(position) }, "applied")
  }

  function noteParked(current: Session, parked: Parking): void {
    current.parking.stored(parked)
    totals.parked += parked.changes.length
    for (const { raw, error } of parked.changes) {
      const { topic, partition, offset } = raw
      log.error(
        { code: error.code, topic, partition, offset: String(offset), ...error.detail },
        "a change could not be applied and is parked as a dead letter; see npx lockstep dlq list",
      )
    }
  }

  /** Now and then is enough: an older offset is a lower one, and what is read again is passed over. */
  function movedOffsets(current: Session): Map<string, bigint> {
    const now = performance.now()
    if (now < current.offsetsDueAt) return new Map()
    current.offsetsDueAt = now + storeOffsetsMs
    const resume = current.assembler.resumeOffsets(intake.next())
    return new Map([...resume].filter(([key, offset]) => current.stored.get(key) !== offset))
  }

  function tick(): void {
    pump()
    const current = session
    if (!current) return
    const { assembler } = current
    patience
      .prove({ next: intake.next, isReadBeyondHead: (partition) => assembler.isReadBeyondHead(partition) })
      .then((answer) => {
        if (current !== session || !answer || answer.proven === "nothing") return
        const { head, commitLsn, proven } = answer
        if (proven === "everything") assembler.prove(commitLsn)
        else assembler.proveRows(commitLsn)
        // All its rows are read and its count still differs: only the rest of the topics can tell loss from a miscount.
        if (proven === "rows" && head.isCounted) intake.resumeWhere(() => true)
        pump()
      })
      .catch(fail)
  }

  /** For lag tools only: what the projector goes by is in Postgres. */
  function publishOffsets(): void {
    if (!session) return
    deps.kafka
      .publishOffsets(deps.lagGroupId, session.stored)
      .catch((error: unknown) => log.debug({ err: error }, "offsets could not be shown to lag tools"))
  }
}
