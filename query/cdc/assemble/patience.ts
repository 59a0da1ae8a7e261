// Waits for the head of the line. Rows of a transaction are often some hundred milliseconds late. A transaction that
// waits longer, or that has a crash of the connector inside, needs the proof (proof.ts) that all its records have been
// read. Patience never gives up: it says for which transaction it waits.
// Example: at 10,000 ms transaction 815 lacks 2 of its 5 rows. Until 11,000 ms nothing happens; then the driver of the
// flow is asked how far the connector has committed, again and again, until that answer covers transaction 815.
// Pure: it knows no clock but the one it is given.
import { formatLsn, type Lsn } from "../vocabulary/lsn.ts"
import type { Head, Next } from "./head.ts"
import { type Committed, type HowFarRead, judgeReading, type Proven } from "./proof.ts"

/** How long an undisturbed transaction may miss rows before a proof is asked for. */
const patienceMs = 1_000
/** The pause between two questions about the same transaction. */
const askPauseMs = 50
/** Heartbeats come twice a second; a silence of this length means that capture has stopped. */
const silenceMs = 10_000

type Waiting = {
  /** Null while the END of the transaction has not been read. */
  head: Head | null
  sinceMs: number
  /** The answer of Connect and Kafka since the connector has committed the head; null before. */
  committed: Committed | null
  /** A question is under way. */
  isAsking: boolean
  askAgainAtMs: number
}

export class Patience {
  readonly #now: () => number
  #waiting: Waiting | null = null
  #heardAtMs: number
  #disturbed = 0
  #disturbedHead: Lsn | null = null

  /** `now` is a monotonic clock in milliseconds. */
  constructor(now: () => number) {
    this.#now = now
    this.#heardAtMs = now()
  }

  /** A record of the commit log or of a table was read. */
  heard(): void {
    this.#heardAtMs = this.#now()
  }

  /** Takes the answer of the assembler. @returns the head if a crash of the connector is newly found inside it. */
  note(next: Next): Head | null {
    const head = "head" in next ? next.head : null
    // A crash inside the head may show only with the head's last rows.
    const newlyDisturbed = head?.disturbed && head.commitLsn !== this.#disturbedHead ? head : null
    if (newlyDisturbed) {
      this.#disturbed++
      this.#disturbedHead = newlyDisturbed.commitLsn
    }
    // While rows are being staged, rows are coming: missing rows can be told when all rows in memory are staged.
    if (next.state !== "waiting-for-rows" && next.state !== "waiting-for-end") this.#waiting = null
    else if (this.#waiting && this.#waiting.head?.commitLsn === head?.commitLsn) this.#waiting.head = head
    else {
      const sinceMs = this.#now()
      this.#waiting = { head, sinceMs, committed: null, isAsking: false, askAgainAtMs: sinceMs }
    }
    return newlyDisturbed
  }

  /** Forgets the head that was waited for. */
  reset(): void {
    this.#waiting = null
    this.#heardAtMs = this.#now()
  }

  /**
   * Commit LSN of the transaction that the connector must have committed before a proof is possible; null when Connect
   * need not be asked now. A caller that asks Connect calls `answered` afterwards, also when Connect fails.
   */
  ask(): Lsn | null {
    const waiting = this.#waiting
    const head = waiting?.head
    if (!waiting || !head || waiting.committed || waiting.isAsking) return null
    if (!head.needsProof && this.#now() - waiting.sinceMs < patienceMs) return null
    if (this.#now() < waiting.askAgainAtMs) return null
    waiting.isAsking = true
    return head.commitLsn
  }

  /** Takes the answer for a transaction: null when the connector has not committed it, or when a question failed. */
  answered(commitLsn: Lsn, committed: Committed | null): void {
    const waiting = this.#waiting
    if (waiting?.head?.commitLsn !== commitLsn) return
    waiting.isAsking = false
    waiting.askAgainAtMs = this.#now() + askPauseMs
    if (committed && committed.commitLsn >= commitLsn) waiting.committed ??= committed
  }

  /** How much is proven to have been read, and up to which transaction; null while nothing is proven. */
  proven(reading: HowFarRead): { head: Head; commitLsn: Lsn; proven: Exclude<Proven, "nothing"> } | null {
    const { head, committed } = this.#waiting ?? {}
    if (!head || !committed) return null
    const proven = judgeReading(committed, reading)
    if (proven === "nothing") return null
    return { head, commitLsn: proven === "everything" ? committed.commitLsn : head.commitLsn, proven }
  }

  /** For what the flow waits, in words; null when nothing is overdue. */
  describe(): string | null {
    const waiting = this.#waiting
    const head = waiting?.head
    if (waiting && head && (head.needsProof || this.#now() - waiting.sinceMs >= patienceMs)) {
      const missing = head.needsProof
        ? "the proof that it is whole"
        : `rows (${head.received} of ${head.expected} are here)`
      return `transaction ${head.xid} (${formatLsn(head.commitLsn)}) has waited ${this.#seconds(waiting.sinceMs)} s for ${missing}`
    }
    if (this.#now() - this.#heardAtMs > silenceMs) {
      return `capture has been silent for ${this.#seconds(this.#heardAtMs)} s; is the connector running?`
    }
    return null
  }

  /** How many transactions had a crash of the connector inside. */
  disturbed(): number {
    return this.#disturbed
  }

  #seconds(sinceMs: number): string {
    return ((this.#now() - sinceMs) / 1_000).toFixed(1)
  }
}
