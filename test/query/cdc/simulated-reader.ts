// A projector without Kafka and Postgres: it reads partitions in any interleaving, applies what the assembler
// releases, and restarts from what it stored with the last apply, as query/cdc/follow.ts does.
import { type Assembler, createAssembler } from "../../../query/cdc/assemble.ts"
import type { Transaction } from "../../../query/cdc/change.ts"
import type { Head } from "../../../query/cdc/head.ts"
import type { Lsn } from "../../../query/cdc/lsn.ts"
import type { Choices } from "../../support/properties.ts"
import type { SimulatedConnector } from "./simulated-connector.ts"
import { genesis } from "./simulated-source.ts"

/** What an apply stores in one transaction. */
type Stored = { lastEnd: Lsn; lastEndOffset: number; resume: Map<string, bigint> }
type Batch = { transactions: Transaction[]; stored: Stored }

type Session = {
  assembler: Assembler
  logNext: number
  next: Map<string, bigint>
  applying: Batch | null
  /** What the last pump found waiting for rows. */
  head: Head | null
  proof: { commitLsn: Lsn; committed: Lsn; ends: Map<string, bigint>; logEnd: number } | null
  /** Partitions that are not read on. */
  paused: Set<string>
}

export type SimulatedReader = ReturnType<typeof createSimulatedReader>

/** With `isTight` memory, every partition pauses as soon as a record belongs to a transaction after the head. */
export function createSimulatedReader(
  connector: SimulatedConnector,
  options: { choices: Choices; baseLsn: Lsn; isTight: boolean },
) {
  const { topics } = connector
  const { choices } = options
  const partitions = [...topics.data.keys()]
  const applied: Transaction[] = []
  let stored: Stored = { lastEnd: genesis, lastEndOffset: 0, resume: new Map() }
  let session = open()

  return {
    applied,
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
    return {
      assembler: createAssembler({
        lastEnd: stored.lastEnd,
        baseLsn: options.baseLsn,
        tables: new Set(["public.t", "public.u"]),
      }),
      logNext: stored.lastEndOffset + 1,
      next: new Map(partitions.map((partition) => [partition, stored.resume.get(partition) ?? 0n])),
      applying: null,
      head: null,
      proof: null,
      paused: new Set(),
    }
  }

  function readLog(count: number): void {
    for (let n = 0; n < count; n++) {
      const entry = topics.log[session.logNext]
      if (!entry) return
      session.logNext++
      session.assembler.addEntry(entry)
    }
  }

  function readData(partition: string, count: number): void {
    for (let n = 0; n < count && !session.paused.has(partition); n++) {
      const at = session.next.get(partition) ?? 0n
      const record = topics.data.get(partition)?.[Number(at)]
      if (!record) return
      session.next.set(partition, at + 1n)
      session.assembler.addRecord(record)
      if (options.isTight && session.assembler.isReadBeyondHead(partition)) session.paused.add(partition)
    }
  }

  function pump(): void {
    if (session.applying) return
    const transactions: Transaction[] = []
    let next = session.assembler.next()
    for (; next.state === "released"; next = session.assembler.next()) transactions.push(next.transaction)
    session.head = next.state === "waiting-for-rows" ? next.head : null
    for (const partition of session.paused) {
      if (!session.assembler.isReadBeyondHead(partition)) session.paused.delete(partition)
    }
    const last = transactions.at(-1)
    if (!last) return
    session.applying = {
      transactions,
      stored: {
        lastEnd: last.commitLsn,
        lastEndOffset: Number(last.endOffset),
        resume: session.assembler.resumeOffsets(session.next),
      },
    }
  }

  function commit(): void {
    if (!session.applying) return
    stored = session.applying.stored
    applied.push(...session.applying.transactions)
    session.applying = null
  }

  /** The apply in flight is lost or was stored, never half. */
  function restart(): void {
    if (choices.pick(2) === 1) commit()
    session = open()
  }

  /** As query/cdc/proof.ts. */
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
      if (!session.head.needsProof) session.paused.clear()
    }
  }

  function progress(): string {
    return [
      applied.length,
      session.logNext,
      ...session.next.values(),
      session.paused.size,
      session.applying !== null,
    ].join()
  }
}
