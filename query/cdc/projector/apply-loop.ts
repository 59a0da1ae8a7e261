// Between steps 3 and 4 of the flow: takes what the assembler releases into Postgres, one piece of work at a time, for
// as long as there is any. A piece is a batch of as many transactions as are complete (nothing ever waits for a batch
// to fill), or the staging of records that are too many for memory, or a staged transaction, alone.
import type { Logger } from "pino"
import type { Applied, ApplyTarget } from "../apply/apply.ts"
import {
  type AppliedOrParked,
  applyOrPark,
  createParkingPlace,
  type ReadRecords,
} from "../apply/apply-or-park.ts"
import { createStaging } from "../apply/staged/staging.ts"
import type { Assembler } from "../assemble/assemble.ts"
import type { Next } from "../assemble/head.ts"
import { type ParkedRows, type Parking, type Placement, readParked } from "../dead-letters/park.ts"
import type { Progress } from "../lease/progress.ts"
import { findHeartbeat } from "../projection/heartbeat.ts"
import type { EndedTransaction, ParkedChange, Transaction } from "../vocabulary/change.ts"
import { formatLsn, type Lsn } from "../vocabulary/lsn.ts"

export type ApplyLoopDeps = {
  target: ApplyTarget
  /** Where Postgres is. */
  progress: Progress
  assembler: Assembler
  /** Rows that have a parked change. */
  parkedRows: ParkedRows
  /** Most changes that may be parked. */
  deadLetterLimit: number
  readRecords: ReadRecords
  /** Next offset to read, by `topic/partition`. */
  nextOffsets: () => ReadonlyMap<string, bigint>
  /** Told of every answer of the assembler. */
  note: (next: Next) => void
  /** Records have left memory. */
  onRoom: () => void
  /** What was applied, of how many transactions, and how many changes were parked with it. */
  onApplied: (transactions: number, applied: Applied, parked: number) => void
  fail: (error: unknown) => void
  log: Logger
}

export type ApplyLoop = {
  /** Begins what can be done now, unless something is being done: that goes on by itself. */
  pump: () => void
  /** Takes a record that cannot be read: it is parked with the next step. @throws EngineError (halt) when they are many. */
  park: (change: ParkedChange) => void
  /** Does something else with the read models, between two pieces of work; false once stopped. Rejects as that does. */
  between: (work: () => Promise<void>) => Promise<boolean>
  /**
   * Begins nothing more; resolves when what is being done is over, one way or the other. A staged transaction may
   * take a minute: cut short, nothing of it is stored.
   */
  stop: (how: "finish" | "cut-short") => Promise<void>
  position: () => Lsn
  /** The source's clock in the last heartbeat applied. */
  heartbeatAt: () => Date | null
  /** Resume offsets as Postgres has them. */
  storedOffsets: () => ReadonlyMap<string, bigint>
  /** How far a transaction is that is too large for memory, in words; null when there is none. */
  describe: () => string | null
}

/** Rows per Postgres transaction at which a batch is closed. */
const batchRows = 2_000
const storeOffsetsMs = 250

type Released = { transactions: Transaction[]; placements: Placement[] }

export function createApplyLoop(deps: ApplyLoopDeps): ApplyLoop {
  const { target, progress, assembler, log } = deps
  const { deadLetterLimit, readRecords } = deps
  const staging = createStaging({ target, deadLetterLimit, readRecords, log })
  const parking = createParkingPlace({ rows: deps.parkedRows, limit: deadLetterLimit })
  const stored = new Map(progress.resumeOffsets)
  let { position, heartbeatAt } = progress
  /** When the resume offsets are to be stored again, by the monotonic clock. */
  let offsetsDueAt = 0
  let working: Promise<void> | null = null
  let stopped = false

  return {
    pump,
    park: (change) => parking.add(change),
    async between(work) {
      while (working) await working
      if (stopped) return false
      const done = work()
        .then(async () => parking.reset((await readParked(target.db, target.ref)).rows))
        .finally(() => {
          working = null
          pump()
        })
      working = done.catch(() => {})
      await done
      return true
    },
    async stop(how) {
      stopped = true
      if (how === "cut-short") staging.stop()
      await working
    },
    position: () => position,
    heartbeatAt: () => heartbeatAt,
    storedOffsets: () => stored,
    describe: () => staging.describe(assembler),
  }

  function pump(): void {
    if (stopped || working) return
    try {
      working =
        begin()
          ?.catch(fail)
          .finally(() => {
            working = null
            pump()
          }) ?? null
      deps.onRoom()
    } catch (error) {
      fail(error)
    }
  }

  /** What is in memory may be ahead of Postgres now. Once stopped nobody goes by it. */
  function fail(error: unknown): void {
    if (stopped) return
    stopped = true
    deps.fail(error)
  }

  /** Null when there is nothing to do. */
  function begin(): Promise<void> | null {
    const released: Released = { transactions: [], placements: [] }
    try {
      for (let rows = 0; rows < batchRows; rows += released.transactions.at(-1)?.records.length ?? 0) {
        const next = assembler.next()
        deps.note(next)
        if (next.state === "released-staged") return applyStaged(next)
        if (next.state === "needs-staging" && released.transactions.length === 0) {
          return staging.stage(assembler)
        }
        if (next.state !== "released") break
        released.transactions.push(next.transaction)
        released.placements.push(...placementsOf(next))
      }
    } catch (error) {
      // What comes before the fault is whole: it is applied first, and the next look meets the fault again.
      if (released.transactions.length === 0) throw error
    }
    return released.transactions.length > 0 ? apply(released) : null
  }

  async function applyStaged(next: ReleasedStaged): Promise<void> {
    const { transaction, rows } = next
    const step = { expected: position, transaction, rows, ...together(placementsOf(next)) }
    noteApplied([transaction], step.resumeOffsets, await staging.apply(step))
  }

  async function apply({ transactions, placements }: Released): Promise<void> {
    const heartbeat = findHeartbeat(transactions, target.projections.heartbeatTable)
    const step = {
      expected: position,
      transactions,
      heartbeatAt: heartbeat?.beatAt ?? null,
      ...together(placements),
    }
    const applied = await applyOrPark(target, step, deadLetterLimit, readRecords)
    if (heartbeat) heartbeatAt = new Date(heartbeat.beatAt)
    noteApplied(transactions, step.resumeOffsets, applied)
  }

  /** What every step stores besides its rows. */
  function together(placements: readonly Placement[]): {
    resumeOffsets: ReadonlyMap<string, bigint>
    parking?: Parking
  } {
    const settled = assembler.takeSettled().map((known) => ({ ...known, missedBy: null }))
    const parked = parking.take([...placements, ...settled])
    return { resumeOffsets: movedOffsets(), ...(parked ? { parking: parked } : {}) }
  }

  function noteApplied(
    transactions: readonly EndedTransaction[],
    resumeOffsets: ReadonlyMap<string, bigint>,
    { applied, parked }: AppliedOrParked,
  ): void {
    if (parked) noteParked(parked)
    for (const [partition, offset] of resumeOffsets) stored.set(partition, offset)
    position = transactions.at(-1)?.commitLsn ?? position
    target.cacheFence.announce({
      cacheEpoch: applied.cacheEpoch,
      generation: target.ref.generation,
      position,
      heartbeatAt,
    })
    deps.onApplied(transactions.length, applied, parked?.changes.length ?? 0)
    log.debug(
      { transactions: transactions.length, rows: applied.rows, position: formatLsn(position) },
      "applied",
    )
  }

  function noteParked(parked: Parking): void {
    parking.stored(parked)
    for (const { raw, error } of parked.changes) {
      const { topic, partition, offset } = raw
      log.error(
        { code: error.code, topic, partition, offset: String(offset), ...error.detail },
        "a change could not be applied and is parked as a dead letter; see npx lockstep dlq list",
      )
    }
  }

  /** Now and then is enough: an older offset is a lower one, and what is read again is passed over. */
  function movedOffsets(): Map<string, bigint> {
    const now = performance.now()
    if (now < offsetsDueAt) return new Map()
    offsetsDueAt = now + storeOffsetsMs
    const resume = assembler.resumeOffsets(deps.nextOffsets())
    return new Map([...resume].filter(([key, offset]) => stored.get(key) !== offset))
  }
}

type ReleasedStaged = Extract<Next, { state: "released-staged" }>

const placementsOf = ({
  head,
  unreadable,
}: ReleasedStaged | Extract<Next, { state: "released" }>): Placement[] =>
  unreadable.map(({ origin }) => ({ origin, missedBy: head, wasApplied: false }))
