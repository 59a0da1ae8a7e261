// A projector without Kafka and Postgres: it reads partitions in any interleaving, applies what the assembler
// releases, and restarts from what it stored with the last apply, as query/cdc/projector/follow.ts does.
import { type Assembler, createAssembler } from "../../../../query/cdc/assemble/assemble.ts"
import {
  type BackPressure,
  createBackPressure,
  headShare,
  type Limits,
} from "../../../../query/cdc/assemble/back-pressure.ts"
import type { Head } from "../../../../query/cdc/assemble/head.ts"
import { sortAsMade } from "../../../../query/cdc/assemble/pending.ts"
import type { DataRecord, Transaction } from "../../../../query/cdc/vocabulary/change.ts"
import type { Lsn } from "../../../../query/cdc/vocabulary/lsn.ts"
import type { Choices } from "../../../support/properties.ts"
import type { SimulatedConnector } from "./simulated-connector.ts"
import { genesis } from "./simulated-source.ts"

/** What an apply stores in one transaction. */
type Stored = { lastEnd: Lsn; lastEndOffset: number; resume: Map<string, bigint> }
type Batch = { transactions: Transaction[]; stored: Stored }

type Session = {
  assembler: Assembler
  backPressure: BackPressure
  logNext: number
  next: Map<string, bigint>
  applying: Batch | null
  /** On their way to the staged table. */
  staging: DataRecord[] | null
  /** The staged table, by identity. */
  staged: Map<string, DataRecord>
  /** What the last pump found waiting for rows. */
  head: Head | null
  proof: { commitLsn: Lsn; committed: Lsn; ends: Map<string, bigint>; logEnd: number } | null
  /** Partitions that are not read on. */
  paused: Set<string>
  isLogPaused: boolean
}

export type SimulatedReader = ReturnType<typeof createSimulatedReader>

/** `limits` decide what pauses and what is staged, as they do in query/cdc/projector/follow.ts. */
export function createSimulatedReader(
  connector: SimulatedConnector,
  options: { choices: Choices; baseLsn: Lsn; limits: Limits },
) {
  const { topics } = connector
  const { choices } = options
  const partitions = [...topics.data.keys()]
  const applied: Transaction[] = []
  let stored: Stored = { lastEnd: genesis, lastEndOffset: 0, resume: new Map() }
  let session = open()
  let highestBytes = 0
  let staged = 0
  let readAll = false

  return {
    applied,
    /** The most that was in memory; 0 if all had to be read for the sake of a proof. */
    highestBytes: () => (readAll ? 0 : highestBytes),
    /** How many transactions were applied from the staged table. */
    staged: () => staged,
    /** One thing that may happen; choice 0 goes on plainly. @throws EngineError as the assembler does. */
    step(): void {
      const what = choices.pick(16)
      if (what < 5) readLog(1 + choices.pick(4))
      else if (what < 10) readData(partitions[choices.pick(partitions.length)] ?? "", 1 + choices.pick(4))
      else if (what < 12) pump()
      else if (what < 14) commit()
      else if (what === 14) prove()
      else restart()
    },
    /** Reads, applies and proves until nothing moves any more. */
    drain(): void {
      for (let before = ""; before !== progress(); ) {
        before = progress()
        commit()
        readLog(1)
        for (const partition of partitions) readData(partition, 1)
        pump()
        prove()
        pump()
      }
    },
  }

  function open(): Session {
    const entry = topics.log[stored.lastEndOffset]
    if (entry?.status !== "END" || entry.commitLsn !== stored.lastEnd) throw new Error("not the last END")
    const assembler = createAssembler({
      lastEnd: stored.lastEnd,
      baseLsn: options.baseLsn,
      tables: new Set(["public.t", "public.u"]),
      stageBeyondBytes: options.limits.pendingBytes * headShare,
    })
    return {
      assembler,
      backPressure: createBackPressure(assembler, options.limits),
      logNext: stored.lastEndOffset + 1,
      next: new Map(partitions.map((partition) => [partition, stored.resume.get(partition) ?? 0n])),
      applying: null,
      staging: null,
      staged: new Map(),
      head: null,
      proof: null,
      paused: new Set(),
      isLogPaused: false,
    }
  }

  function readLog(count: number): void {
    for (let n = 0; n < count && !session.isLogPaused; n++) {
      const entry = topics.log[session.logNext]
      if (!entry) return
      session.logNext++
      session.assembler.addEntry(entry)
      session.isLogPaused = session.backPressure.mustPauseLog()
    }
  }

  function readData(partition: string, count: number): void {
    for (let n = 0; n < count && !session.paused.has(partition); n++) {
      const at = session.next.get(partition) ?? 0n
      const record = topics.data.get(partition)?.[Number(at)]
      if (!record) return
      session.next.set(partition, at + 1n)
      session.assembler.addRecord(record)
      highestBytes = Math.max(highestBytes, session.assembler.pendingBytes())
      if (session.backPressure.mustPause(record)) session.paused.add(partition)
    }
  }

  function pump(): void {
    if (session.applying || session.staging) return
    begin()
    for (const partition of session.paused) {
      if (session.backPressure.mayResume(partition)) session.paused.delete(partition)
    }
    if (session.backPressure.mayResumeLog()) session.isLogPaused = false
  }

  /** As query/cdc/projector/apply-loop.ts. */
  function begin(): void {
    const { assembler } = session
    const transactions: Transaction[] = []
    let next = assembler.next()
    for (; next.state === "released"; next = assembler.next()) transactions.push(next.transaction)
    session.head = next.state === "waiting-for-rows" ? next.head : null
    if (next.state === "needs-staging" && transactions.length === 0) {
      const { isFirst, records } = assembler.takeForStaging(1 + choices.pick(3))
      if (isFirst) session.staged = new Map()
      session.staging = records
    }
    if (next.state === "released-staged") {
      const records = [...session.staged.values()]
      if (records.length !== next.rows) throw new Error("not what was staged")
      transactions.push({ ...next.transaction, records: sortAsMade(records) })
      staged++
    }
    const last = transactions.at(-1)
    if (!last) return
    session.applying = {
      transactions,
      stored: {
        lastEnd: last.commitLsn,
        lastEndOffset: Number(last.endOffset),
        resume: assembler.resumeOffsets(session.next),
      },
    }
  }

  /** What is under way to Postgres is stored. */
  function commit(): void {
    if (session.applying) {
      stored = session.applying.stored
      applied.push(...session.applying.transactions)
      session.applying = null
    }
    if (session.staging) {
      const added = new Map<string, number>()
      for (const record of session.staging) {
        if (session.staged.has(record.identity)) continue
        session.staged.set(record.identity, record)
        added.set(record.change.table, (added.get(record.change.table) ?? 0) + 1)
      }
      session.assembler.noteStaged(added)
      session.staging = null
    }
  }

  /** The apply in flight is lost or was stored, never half. */
  function restart(): void {
    if (choices.pick(2) === 1) commit()
    session = open()
  }

  /** As query/cdc/assemble/proof.ts. */
  function prove(): void {
    if (!session.head) return
    const { commitLsn } = session.head
    if (session.proof?.commitLsn !== commitLsn) {
      const committed = connector.committedLsn()
      if (committed < commitLsn) return
      const ends = [...topics.data].map(([name, records]) => [name, BigInt(records.length)] as const)
      session.proof = { commitLsn, committed, ends: new Map(ends), logEnd: topics.log.length }
    }
    const { committed, ends, logEnd } = session.proof
    const unread = [...ends].filter(([name, end]) => (session.next.get(name) ?? 0n) < end)
    if (unread.length === 0 && session.logNext >= logEnd) session.assembler.prove(committed)
    else if (unread.every(([name]) => session.assembler.isReadBeyondHead(name))) {
      session.assembler.proveRows(commitLsn)
      // If rows are still missed now, only copies can tell a count that is too high from a loss.
      if (session.head.isCounted) {
        session.paused.clear()
        session.isLogPaused = false
        readAll = true
      }
    }
  }

  function progress(): string {
    return [
      applied.length,
      session.logNext,
      ...session.next.values(),
      session.paused.size,
      session.isLogPaused,
      session.applying !== null,
      session.staging !== null,
      session.staged.size,
      session.assembler.pendingBytes(),
    ].join()
  }
}
