// Follows the commit log for one generation under one lease: what the intake hands over is assembled and applied
// (apply-loop.ts), until it is told to stop or something goes wrong. It keeps nothing that a
// restart would need: every start, and every rejoin of a consumer, begins with what Postgres says.
import type { Logger } from "pino"
import type { ApplyTarget } from "../apply/apply.ts"
import { removeStagedTable } from "../apply/staged/staged-rows.ts"
import { type Assembler, createAssembler } from "../assemble/assemble.ts"
import { type BackPressure, createBackPressure, headShare } from "../assemble/back-pressure.ts"
import { createPatience } from "../assemble/patience.ts"
import type { FetchCommittedLsn } from "../assemble/proof.ts"
import { readParked } from "../dead-letters/park.ts"
import type { FetchSchema } from "../decode/schema-registry.ts"
import { createIntake, type IntakeStart } from "../intake/intake.ts"
import type { KafkaAccess } from "../kafka/kafka.ts"
import { readProgress } from "../lease/progress.ts"
import { readHeartbeat, tablesRead } from "../projection/heartbeat.ts"
import type { DataRecord } from "../vocabulary/change.ts"
import { EngineError } from "../vocabulary/errors.ts"
import { isOtherHistory, type Source, sourceChanged } from "../vocabulary/history.ts"
import { formatLsn, type Lsn } from "../vocabulary/lsn.ts"
import { type ApplyLoop, createApplyLoop } from "./apply-loop.ts"

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
  /** Does something else with the read models, between two applies; false while there are none. Rejects as the work does. */
  between: (work: () => Promise<void>) => Promise<boolean>
  /** Resolves when the apply in flight is over and the consumers are closed. */
  stop: () => Promise<void>
}

/** Some megabytes. */
const mostPendingEnds = 20_000
const tickMs = 50
const publishOffsetsMs = 5_000

type Session = { assembler: Assembler; backPressure: BackPressure; loop: ApplyLoop }

export function createFollower(deps: FollowerDeps): Follower {
  const { target, log } = deps
  const { projections } = target
  const tables = tablesRead(projections)
  const totals = { transactions: 0, changes: 0, staleRows: 0, parked: 0 }
  const timers: NodeJS.Timeout[] = []
  let session: Session | null = null
  /** Of the last session, which may still be at work after it. */
  let loop: ApplyLoop | null = null

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
      session?.loop.park(change)
    },
    takeEntry: (entry) => {
      patience.heard()
      if (!session) return
      session.assembler.addEntry(entry)
      if (session.backPressure.mustPauseLog()) intake.pauseLog()
    },
    taken: () => session?.loop.pump(),
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
        position: session.loop.position(),
        waitingFor: describeWaiting(session.loop),
        pendingBytes: session.assembler.pendingBytes(),
        disturbed: patience.disturbed(),
        ...totals,
      },
    between: async (work) => (await session?.loop.between(work)) ?? false,
    async stop() {
      for (const timer of timers) clearInterval(timer)
      session = null
      await loop?.stop("cut-short")
      await intake.stop()
    },
  }

  /** Whatever went wrong, what is in memory may be ahead of Postgres: nothing more is taken or applied. */
  function fail(error: unknown): void {
    session = null
    void loop?.stop("finish")
    reject(error)
  }

  /** Empties the assembler and starts anew from what Postgres says. */
  async function begin(): Promise<IntakeStart> {
    session = null
    await loop?.stop("finish")
    const progress = await readProgress(target.db, target.ref)
    if (!progress) {
      throw new EngineError("misconfigured", `Generation ${target.ref.generation} has no progress.`)
    }
    const parked = await readParked(target.db, target.ref)
    await removeStagedTable(target)
    patience.reset()
    const assembler = createAssembler({
      lastEnd: progress.lastEnd,
      baseLsn: progress.baseLsn,
      tables: new Set(tables.map((table) => `public.${table.name}`)),
      stageBeyondBytes: deps.maxPendingBytes * headShare,
    })
    for (const record of parked.unplaced) assembler.addUnreadable(record, true)
    const backPressure = createBackPressure(assembler, {
      pendingBytes: deps.maxPendingBytes,
      pendingEnds: mostPendingEnds,
    })
    loop = createApplyLoop({
      target,
      progress,
      assembler,
      parkedRows: parked.rows,
      deadLetterLimit: deps.deadLetterLimit,
      readRecords: deps.kafka.readRecords,
      nextOffsets: intake.next,
      note: (next) => patience.note(next),
      onRoom: () => intake.resumeWhere(backPressure),
      onApplied(transactions, { rows, stale }, parkedNow) {
        totals.transactions += transactions
        totals.changes += rows
        totals.staleRows += stale
        totals.parked += parkedNow
      },
      fail,
      log,
    })
    session = { assembler, backPressure, loop }
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

  function takeRecord(record: DataRecord): void {
    patience.heard()
    if (!session) return
    assertSameSource(record, session.loop.position())
    session.assembler.addRecord(record)
    if (session.backPressure.mustPause(record)) intake.pause(record)
  }

  /** Looks at every heartbeat as it comes in, before its place in history is believed. */
  function assertSameSource(record: DataRecord, position: Lsn): void {
    const heartbeat = readHeartbeat(record, projections.heartbeatTable)
    if (heartbeat && isOtherHistory(deps.source, heartbeat, { lsn: record.lsn, position })) {
      throw sourceChanged(deps.source, heartbeat)
    }
  }

  function tick(): void {
    const current = session
    if (!current) return
    const { assembler, loop } = current
    loop.pump()
    patience
      .prove({ next: intake.next, isReadBeyondHead: (partition) => assembler.isReadBeyondHead(partition) })
      .then((answer) => {
        if (current !== session || !answer || answer.proven === "nothing") return
        const { head, commitLsn, proven } = answer
        if (proven === "everything") assembler.prove(commitLsn)
        else assembler.proveRows(commitLsn)
        // All its rows are read and its count still differs: only the rest of the topics can tell loss from a miscount.
        if (proven === "rows" && head.isCounted) intake.resumeAll()
        loop.pump()
      })
      .catch(fail)
  }

  /** In words; null when nothing is overdue. */
  function describeWaiting(loop: ApplyLoop): string | null {
    const waiting = [loop.describe(), patience.describe()].filter((what) => what !== null)
    return waiting.length > 0 ? waiting.join("; ") : null
  }

  /** For lag tools only: what the projector goes by is in Postgres. */
  function publishOffsets(): void {
    if (!session) return
    deps.kafka
      .publishOffsets(deps.lagGroupId, session.loop.storedOffsets())
      .catch((error: unknown) => log.debug({ err: error }, "offsets could not be shown to lag tools"))
  }
}
