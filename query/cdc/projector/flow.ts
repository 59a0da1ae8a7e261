// Between the steps of reading (1, 2) and of writing (4): the machine that owns one generation's way through the commit
// log. It takes the records that were read, in any interleaving of partitions, and names the next piece of work: apply
// these transactions, stage these records, apply the staged transaction; and which partitions pause or go on. It
// decides which offsets and dead letters are stored with a step, and says for which transaction it waits.
// Pure: no I/O, no clock but the one it is given, and it never waits. follow.ts drives it with Kafka and Postgres; the
// property tests drive the same machine with simulated ones.
//
// A session lasts from `begin`, with the state that Postgres holds, until `end` or the next `begin` (a rejoin, a
// fault). Work of one session means nothing to another session: its outcome shows in the state that Postgres holds.
// At most one piece of work is under way. Meanwhile `prepare` may gather the next batch, at most one ahead; the
// driver does not ask for it yet. Example:
// `take` got 811 and 812 whole; `next` hands out [811, 812]; `take` gets 813 and `prepare` gathers it; `applied` tells
// that [811, 812] is stored; `next` hands out [813].
// Several flows may read one stream, each for its generation: a flow holds no offset of the reader.
// Longer than 250 lines because only here reading and writing meet.

import type { ApplyStep } from "../apply/apply.ts"
import type { AppliedOrParked } from "../apply/apply-or-park.ts"
import type { StagedStep } from "../apply/staged/apply-staged.ts"
import { type Assembler, createAssembler } from "../assemble/assemble.ts"
import { type BackPressure, createBackPressure, headShare, type Limits } from "../assemble/back-pressure.ts"
import type { Head, Next } from "../assemble/head.ts"
import { Patience } from "../assemble/patience.ts"
import type { Committed } from "../assemble/proof.ts"
import type { UnreadableRecord } from "../assemble/unreadable.ts"
import type { DeadLetterRows, Parking, Placement } from "../dead-letters/park.ts"
import { ParkingQueue } from "../dead-letters/parking-queue.ts"
import { type PauseChanges, Pauses } from "../intake/pauses.ts"
import { assertIsLastEnd } from "../intake/topic-range.ts"
import type { Progress } from "../lease/progress.ts"
import { findHeartbeat, readHeartbeat } from "../projection/heartbeat.ts"
import {
  type DataRecord,
  type EndedTransaction,
  partitionKey,
  type Read,
  type Transaction,
} from "../vocabulary/change.ts"
import { isOtherHistory, type SourceIdentity, sourceChanged } from "../vocabulary/history.ts"
import type { Lsn } from "../vocabulary/lsn.ts"

export type FlowSettings = {
  source: SourceIdentity
  /** Source tables that are read, as the commit log names them (schema and name). */
  tables: ReadonlySet<string>
  heartbeatTable: string
  /** The commit log's one partition, as `topic/partition`. */
  commitLog: string
  limits: Limits
  /** Most changes that may be parked. */
  deadLetterLimit: number
  /** Rows of a batch beyond which no further transaction joins it. */
  batchRows: number
  /** Most records that are staged at a time. */
  stageRows: number
  /** How far the topics have been read: the next offset to read, by `topic/partition`. */
  readUpTo: () => ReadonlyMap<string, bigint>
  /** A monotonic clock, in milliseconds. */
  now: () => number
}

/** The state that Postgres holds when a session begins. */
export type FlowStart = {
  progress: Progress
  /** Dead letters of records that could not be read and that no transaction has missed yet. */
  unplaced: readonly UnreadableRecord[]
  /** Rows that have a dead letter. */
  deadLetterRows: DeadLetterRows
}

/** A piece of work. The driver tells its outcome by `applied` or `staged`; a failure ends the session. */
export type Work =
  | { kind: "apply"; step: ApplyStep }
  | { kind: "apply-staged"; step: StagedStep }
  | { kind: "stage"; records: readonly DataRecord[]; isFirst: boolean }

/** How far a generation is, and the source's clock in the last heartbeat applied. */
export type Reached = { position: Lsn; heartbeatAt: Date | null }

/** Transactions taken out of the assembler that are not handed out yet. */
type Gathered = { transactions: Transaction[]; rows: number; placements: Placement[] }

type Session = {
  assembler: Assembler
  backPressure: BackPressure
  parking: ParkingQueue
  start: Progress
  position: Lsn
  heartbeatAt: Date | null
  /** Resume offsets as Postgres has them. */
  storedOffsets: Map<string, bigint>
  storeOffsetsAtMs: number
  gathered: Gathered
  underWay: Work | null
}

const storeOffsetsMs = 250

export class Flow {
  readonly #settings: FlowSettings
  readonly #patience: Patience
  #session: Session | null = null
  /** The session that has ended, until the next one begins: its work may still be committed. */
  #ended: Session | null = null
  readonly #pauses = new Pauses()
  #newlyDisturbed: Head[] = []

  constructor(settings: FlowSettings) {
    this.#settings = settings
    this.#patience = new Patience(settings.now)
  }

  /** Forgets all records taken, and begins with the state that Postgres holds. All partitions are read again. */
  begin({ progress, unplaced, deadLetterRows }: FlowStart): void {
    const { tables, limits, deadLetterLimit } = this.#settings
    const assembler = createAssembler({
      lastEnd: progress.lastEnd,
      baseLsn: progress.baseLsn,
      tables,
      stageBeyondBytes: limits.pendingBytes * headShare,
    })
    for (const record of unplaced) assembler.addUnreadable(record, true)
    this.#patience.reset()
    this.#pauses.resumeAll()
    this.#ended = null
    this.#session = {
      assembler,
      backPressure: createBackPressure(assembler, limits),
      parking: new ParkingQueue({ rows: deadLetterRows, limit: deadLetterLimit }),
      start: progress,
      position: progress.position,
      heartbeatAt: progress.heartbeatAt,
      storedOffsets: new Map(progress.resumeOffsets),
      storeOffsetsAtMs: 0,
      gathered: nothingGathered(),
      underWay: null,
    }
  }

  /** No record is taken and no work handed out any more: memory may be ahead of Postgres, or of the topics. */
  end(): void {
    this.#ended = this.#session ?? this.#ended
    this.#session = null
  }

  /**
   * Takes the record that was read next in some partition. Between sessions it is forgotten: it is read again.
   * @throws EngineError (halt) for a heartbeat of another history, a commit log that was replaced, or too many
   * records that cannot be read.
   */
  take(read: Read): void {
    this.#patience.heard()
    const session = this.#session
    if (!session) return
    switch (read.kind) {
      case "record":
        this.#takeRecord(session, read.record)
        break
      case "unreadable":
        session.assembler.addUnreadable({ origin: read.change.raw, table: read.change.table })
        session.parking.add(read.change)
        break
      case "entry":
        // The log is read from the last applied END on, to check that it is the log that was followed.
        if (read.entry.offset <= session.start.lastEndOffset) {
          assertIsLastEnd(read.entry, session.start)
          break
        }
        session.assembler.addEntry(read.entry)
        if (session.backPressure.mustPauseLog()) this.#pauses.pause(this.#settings.commitLog)
        break
      default:
        read satisfies never
    }
  }

  #takeRecord(session: Session, record: DataRecord): void {
    const { source, heartbeatTable } = this.#settings
    // Every heartbeat is checked as it comes in, before its place in history is believed.
    const heartbeat = readHeartbeat(record, heartbeatTable)
    if (heartbeat && isOtherHistory(source, heartbeat, { lsn: record.lsn, position: session.position })) {
      throw sourceChanged(source, heartbeat)
    }
    session.assembler.addRecord(record)
    if (session.backPressure.mustPause(record)) {
      this.#pauses.pause(partitionKey(record.origin.topic, record.origin.partition))
    }
  }

  /**
   * The next piece of work; null while one is under way, and when there is none.
   * @throws EngineError (halt) when history is proven to be missing, or when the next transaction cannot be applied.
   * Complete transactions before the fault are handed out first.
   */
  next(): Work | null {
    const session = this.#session
    if (!session || session.underWay) return null
    this.#weighProof(session)
    session.underWay = this.#choose(session)
    this.#resumeWhereRoom(session)
    return session.underWay
  }

  /** While a piece of work is under way: gathers the next batch as far as it is complete, at most one ahead. */
  prepare(): void {
    const session = this.#session
    if (session?.underWay?.kind !== "apply") return
    try {
      this.#gather(session)
    } catch {
      // `next` meets the fault again, and throws it when all transactions before it are applied.
    }
  }

  #choose(session: Session): Work | null {
    const { assembler, gathered } = session
    const after = this.#gather(session)
    if (gathered.transactions.length > 0) return this.#handOut(session)
    if (after?.state === "needs-staging") {
      return { kind: "stage", ...assembler.takeForStaging(this.#settings.stageRows) }
    }
    if (after?.state !== "released-staged") return null
    const { transaction, rows } = after
    const step = { expected: session.position, transaction, rows }
    return { kind: "apply-staged", step: { ...step, ...this.#storedWith(session, placementsOf(after)) } }
  }

  /** Takes complete transactions until the batch is full. @returns the answer of the assembler that ended it. */
  #gather({ assembler, gathered }: Session): Next | null {
    try {
      while (gathered.rows < this.#settings.batchRows) {
        const next = assembler.next()
        const disturbed = this.#patience.note(next)
        if (disturbed) this.#newlyDisturbed.push(disturbed)
        if (next.state !== "released") return next
        gathered.transactions.push(next.transaction)
        gathered.rows += next.transaction.records.length
        gathered.placements.push(...placementsOf(next))
      }
    } catch (error) {
      // The transactions before the fault are whole: they are applied first, and the next call meets the fault again.
      if (gathered.transactions.length === 0) throw error
    }
    return null
  }

  #handOut(session: Session): Work {
    const { transactions, placements } = session.gathered
    session.gathered = nothingGathered()
    const heartbeatAt = findHeartbeat(transactions, this.#settings.heartbeatTable)?.beatAt ?? null
    const step = { expected: session.position, transactions, heartbeatAt }
    return { kind: "apply", step: { ...step, ...this.#storedWith(session, placements) } }
  }

  /** The resume offsets and the parking that a step stores besides its rows. */
  #storedWith(
    session: Session,
    placements: readonly Placement[],
  ): { resumeOffsets: ReadonlyMap<string, bigint>; parking?: Parking } {
    const settled = session.assembler.takeSettled().map((known) => ({ ...known, missedBy: null }))
    const parking = session.parking.take([...placements, ...settled])
    return { resumeOffsets: this.#movedOffsets(session), ...(parking ? { parking } : {}) }
  }

  /** Offsets are stored now and then: an older offset is lower, and records that are read again are passed over. */
  #movedOffsets(session: Session): Map<string, bigint> {
    const { now, readUpTo } = this.#settings
    if (now() < session.storeOffsetsAtMs) return new Map()
    session.storeOffsetsAtMs = now() + storeOffsetsMs
    const resume = session.assembler.resumeOffsets(readUpTo())
    return new Map([...resume].filter(([key, offset]) => session.storedOffsets.get(key) !== offset))
  }

  /**
   * Postgres has committed the step, with these dead letters.
   * @returns how far the generation is, also when its session has ended meanwhile; null when another has begun.
   */
  applied(work: Work, { parked }: Pick<AppliedOrParked, "parked">): Reached | null {
    const session = this.#session ?? this.#ended
    if (!session || session.underWay !== work || work.kind === "stage") return null
    const transactions = transactionsOf(work)
    if (parked) session.parking.stored(parked)
    for (const [partition, offset] of work.step.resumeOffsets) session.storedOffsets.set(partition, offset)
    session.position = transactions.at(-1)?.commitLsn ?? session.position
    if (work.kind === "apply" && work.step.heartbeatAt) session.heartbeatAt = new Date(work.step.heartbeatAt)
    session.underWay = null
    return { position: session.position, heartbeatAt: session.heartbeatAt }
  }

  /** The records are stored in the staged table; `added` counts, by table, the records that were not there before. */
  staged(work: Work, added: ReadonlyMap<string, number>): void {
    const session = this.#session
    if (!session || session.underWay !== work) return
    session.assembler.noteStaged(added)
    session.underWay = null
  }

  /** Dead letters were redriven or discarded between two steps: these rows still have a dead letter. */
  deadLetterRowsAre(rows: DeadLetterRows): void {
    this.#session?.parking.reset(rows)
  }

  /** Commit LSN, or null: the driver asks Connect whether it is committed, and then asks Kafka where topics end. */
  askCommitted(): Lsn | null {
    return this.#session && this.#patience.ask()
  }

  /** Takes the answer; null when the connector has not committed the transaction, or when the question failed. */
  answerCommitted(commitLsn: Lsn, committed: Committed | null): void {
    this.#patience.answered(commitLsn, committed)
  }

  #weighProof({ assembler }: Session): void {
    const isReadBeyondHead = (partition: string): boolean => assembler.isReadBeyondHead(partition)
    const answer = this.#patience.proven({ next: this.#settings.readUpTo(), isReadBeyondHead })
    if (!answer) return
    const { head, commitLsn, proven } = answer
    if (proven === "everything") assembler.prove(commitLsn)
    else assembler.proveRows(commitLsn)
    // All rows of the head are read and its count still differs: only the rest of the topics tells loss from miscount.
    if (proven === "rows" && head.isCounted) this.#pauses.resumeAll()
  }

  #resumeWhereRoom({ backPressure }: Session): void {
    this.#pauses.resumeWhere((partition) =>
      partition === this.#settings.commitLog
        ? backPressure.mayResumeLog()
        : backPressure.mayResume(partition),
    )
  }

  /** The partitions that the reader is to pause and to resume, since this was last asked; null when none. */
  takePauses(): PauseChanges | null {
    return this.#pauses.takeChanges()
  }

  /** Transactions in which a crash of the connector was found since this was last asked. */
  takeNewlyDisturbed(): Head[] {
    const found = this.#newlyDisturbed
    this.#newlyDisturbed = []
    return found
  }

  /** How the flow stands; null between sessions. */
  state() {
    const session = this.#session
    if (!session) return null
    const { position, storedOffsets, assembler } = session
    return {
      position,
      /** Resume offsets as Postgres has them, by `topic/partition`. */
      storedOffsets,
      pendingBytes: assembler.pendingBytes(),
      disturbed: this.#patience.disturbed(),
      /** The head that is being read and is too large for memory; null when there is none. */
      stagedHead: assembler.stagedHead(),
      /** In words; null when nothing is overdue. */
      waitingFor: this.#patience.describe(),
    }
  }
}

/** The transactions that a step applies. */
export const transactionsOf = (work: Exclude<Work, { kind: "stage" }>): readonly EndedTransaction[] =>
  work.kind === "apply" ? work.step.transactions : [work.step.transaction]

const nothingGathered = (): Gathered => ({ transactions: [], rows: 0, placements: [] })

type Released = Extract<Next, { state: "released" | "released-staged" }>

const placementsOf = ({ head, unreadable }: Released): Placement[] =>
  unreadable.map(({ origin }) => ({ origin, missedBy: head, wasApplied: false }))
