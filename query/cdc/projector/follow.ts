// The follower drives one flow (flow.ts) with Kafka and Postgres, for one generation under one lease. The flow takes
// the records that the intake reads; the follower performs the work that the flow hands out, one piece at a time, and
// tells the outcome. Every start, and every rejoin of a consumer, begins with the state that Postgres holds.
import type { ApplyTarget } from "../apply/apply.ts"
import { removeStagedTable } from "../apply/staged/staged-rows.ts"
import { readDeadLetters } from "../dead-letters/park.ts"
import { createIntake } from "../intake/intake.ts"
import { Reading } from "../intake/reading.ts"
import { type Progress, readProgress } from "../lease/progress.ts"
import { tablesRead } from "../projection/heartbeat.ts"
import { partitionKey, type Read } from "../vocabulary/change.ts"
import { EngineError } from "../vocabulary/errors.ts"
import type { Source } from "../vocabulary/history.ts"
import { formatLsn, type Lsn } from "../vocabulary/lsn.ts"
import { commitLogTopic } from "../vocabulary/topics.ts"
import type { Engine } from "./engine.ts"
import { Flow, transactionsOf, type Work } from "./flow.ts"
import { createPerformer, describeReading } from "./perform.ts"

/** For the status. `waitingFor` is null while nothing is overdue; `parked` counts changes that this follower parked. */
export type FollowerState = {
  position: Lsn
  waitingFor: string | null
  pendingBytes: number
  transactions: number
  changes: number
  disturbed: number
  staleRows: number
  parked: number
}

export type Follower = {
  start: () => Promise<void>
  /** Rejects with the error that ended the following; never resolves. */
  failed: Promise<never>
  /** Null until it has begun. */
  state: () => FollowerState | null
  /** Does other work on the read models between two steps; false while no session is open. Rejects as the work does. */
  between: (work: () => Promise<void>) => Promise<boolean>
  /** Resolves when the step in flight is over and the consumers are closed. */
  stop: () => Promise<void>
}

/** Rows per Postgres transaction at which a batch is closed; records per write to the staged table. */
const batchRows = 2_000
/** So many ENDs take some megabytes. */
const mostPendingEnds = 20_000
const tickMs = 50
const showOffsetsMs = 5_000

export function createFollower(
  engine: Engine,
  /** `groupId` is unique per attempt: a fresh group does not wait for a dead member's session to expire. */
  { target, source, groupId }: { target: ApplyTarget; source: Source; groupId: string },
): Follower {
  const { kafka, deadLetterLimit, log } = engine
  const tables = tablesRead(target.projections)
  const totals = { transactions: 0, changes: 0, staleRows: 0, parked: 0 }
  const timers: NodeJS.Timeout[] = []
  const reading = new Reading()
  const flow = new Flow({
    source,
    tables: new Set(tables.map((table) => `public.${table.name}`)),
    heartbeatTable: target.projections.heartbeatTable,
    commitLog: partitionKey(commitLogTopic(engine.topicPrefix), 0),
    limits: { pendingBytes: engine.maxPendingBytes, pendingEnds: mostPendingEnds },
    deadLetterLimit,
    batchRows,
    stageRows: batchRows,
    readUpTo: () => reading.next(),
    now: () => performance.now(),
  })
  const { apply, applyStaged, stage, ...performer } = createPerformer({
    target,
    deadLetterLimit,
    readRecords: kafka.readRecords,
    log,
  })
  /** The work in flight, of the flow or between steps; it may outlast its session, and no other begins beside it. */
  let working: Promise<void> | null = null
  let stopped = false
  let reject = (_error: unknown): void => {}
  const failed = new Promise<never>((_, onReject) => {
    reject = onReject
  })
  // The caller of `start` also waits for `failed`; until then a rejection must not count as unhandled.
  failed.catch(() => {})
  const intake = createIntake(engine, { tables, groupId, reading }, { begin, take, taken: pump, fail })

  return {
    async start() {
      await intake.start()
      timers.push(setInterval(tick, tickMs), setInterval(showOffsets, showOffsetsMs))
    },
    failed,
    state,
    async between(work) {
      while (working) await working
      if (stopped || !flow.state()) return false
      const done = work().then(async () =>
        flow.deadLetterRowsAre((await readDeadLetters(target.db, target.ref)).rows),
      )
      occupy(done.catch(() => {}))
      await done
      return true
    },
    async stop() {
      stopped = true
      for (const timer of timers) clearInterval(timer)
      flow.end()
      performer.cutShort()
      await working
      await intake.stop()
    },
  }

  /** After any failure memory may be ahead of Postgres: no record is taken or applied any more. */
  function fail(error: unknown): void {
    flow.end()
    reject(error)
  }

  /** Empties the flow and starts anew from the state that Postgres holds. */
  async function begin(): Promise<Progress> {
    flow.end()
    while (working) await working
    const progress = await readProgress(target.db, target.ref)
    if (!progress) {
      throw new EngineError("misconfigured", `Generation ${target.ref.generation} has no progress.`)
    }
    const { unplaced, rows: deadLetterRows } = await readDeadLetters(target.db, target.ref)
    if (stopped) return progress
    await removeStagedTable(target)
    flow.begin({ progress, unplaced, deadLetterRows })
    actOnPauses()
    const from = { position: formatLsn(progress.position), lastEnd: formatLsn(progress.lastEnd) }
    log.info({ ...target.ref, ...from }, "following the commit log")
    return progress
  }

  /** Memory is bounded also while a step takes long, so a partition that has to wait is paused at once. */
  function take(read: Read): void {
    flow.take(read)
    actOnPauses()
  }

  /** Begins the next piece of work, unless work is in flight: its end pumps again. */
  function pump(): void {
    if (working) return
    try {
      const work = flow.next()
      actOnPauses()
      for (const { xid, commitLsn, expected, received } of flow.takeNewlyDisturbed()) {
        log.info(
          { code: "disturbed", xid, commitLsn: formatLsn(commitLsn), expected, received },
          "a crash of the connector lies inside this transaction; only a proof tells whether it is whole",
        )
      }
      if (work) occupy(perform(work).catch(failUnlessOver))
    } catch (error) {
      fail(error)
    }
  }

  function occupy(done: Promise<void>): void {
    working = done.finally(() => {
      working = null
      pump()
    })
  }

  function actOnPauses(): void {
    const changes = flow.takePauses()
    if (changes) intake.pause(changes)
  }

  /** A failure of work whose session is over is no failure of the follower. */
  function failUnlessOver(error: unknown): void {
    if (flow.state()) fail(error)
  }

  async function perform(work: Work): Promise<void> {
    if (work.kind === "stage") {
      flow.staged(work, await stage(work.records, work.isFirst))
      return
    }
    const { applied, parked } = await (work.kind === "apply" ? apply(work.step) : applyStaged(work.step))
    const transactions = transactionsOf(work)
    totals.transactions += transactions.length
    totals.changes += applied.rows
    totals.staleRows += applied.stale
    totals.parked += parked?.changes.length ?? 0
    for (const { raw, error } of parked?.changes ?? []) {
      const { topic, partition, offset } = raw
      log.error(
        { code: error.code, topic, partition, offset: String(offset), ...error.detail },
        "a change could not be applied and is parked as a dead letter; see npx lockstep dlq list",
      )
    }
    const reached = flow.applied(work, { parked })
    if (!reached) return
    const { cacheEpoch, rows } = applied
    target.cacheFence.announce({ cacheEpoch, generation: target.ref.generation, ...reached })
    log.debug({ transactions: transactions.length, rows, position: formatLsn(reached.position) }, "applied")
  }

  function tick(): void {
    pump()
    const commitLsn = flow.askCommitted()
    if (commitLsn !== null) void learnCommitted(commitLsn).then(pump)
  }

  /** Asks Connect, then Kafka: once the connector has committed a transaction, the topics hold all its records. */
  async function learnCommitted(commitLsn: Lsn): Promise<void> {
    try {
      const committed = await engine.fetchCommittedLsn()
      const isCommitted = committed !== null && committed >= commitLsn
      flow.answerCommitted(
        commitLsn,
        isCommitted ? { commitLsn: committed, ends: await intake.endOffsets() } : null,
      )
    } catch (error) {
      // Connect or Kafka may be down: the proof waits for them, and the status names the waiting transaction.
      log.debug({ err: error }, "the proof has to wait")
      flow.answerCommitted(commitLsn, null)
    }
  }

  function state(): FollowerState | null {
    const now = flow.state()
    if (!now) return null
    const { position, pendingBytes, disturbed, stagedHead } = now
    const waiting = [
      performer.describe() ?? (stagedHead && describeReading(stagedHead)),
      now.waitingFor,
    ].filter((one) => one !== null)
    const waitingFor = waiting.length > 0 ? waiting.join("; ") : null
    return { position, waitingFor, pendingBytes, disturbed, ...totals }
  }

  /** For lag tools only: the projector goes by the offsets in Postgres. */
  function showOffsets(): void {
    const now = flow.state()
    if (!now) return
    kafka
      .publishOffsets(`lockstep-${engine.source}`, now.storedOffsets)
      .catch((error: unknown) => log.debug({ err: error }, "offsets could not be shown to lag tools"))
  }
}
