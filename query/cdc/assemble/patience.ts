// Waits for the head of the line. A transaction whose rows are not all here is nothing unusual for some hundred
// milliseconds; a transaction with a crash of the connector inside, or one that has waited longer, needs the proof
// (proof.ts) that everything of it has been read. Patience never gives up: it says what it waits for.
// Example: at 10,000 ms transaction 815 lacks 2 of its 5 rows. Until 11,000 ms nothing happens; then the driver of the
// flow is asked how far the connector has committed, again and again, until that answer covers transaction 815.
// Pure: it knows no clock but the one it is given.
import { formatLsn, type Lsn } from "../vocabulary/lsn.ts"
import type { Head, Next } from "./head.ts"
import { type Committed, type HowFarRead, judgeReading, type Proven } from "./proof.ts"

/** How long an undisturbed transaction may miss rows before a proof is asked for. */
const patienceMs = 1_000
/** Between two questions about the same transaction. */
const askPauseMs = 50
/** Heartbeats come twice a second; this long without any entry means that capture has stopped. */
const silenceMs = 10_000

type Waiting = {
  /** Null while its END is not here. */
  head: Head | null
  sinceMs: number
  /** What is known of the connector since it committed the head. */
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

  /** The commit log or a table said something. */
  heard(): void {
    this.#heardAtMs = this.#now()
  }

  /** Takes the answer of the assembler. @returns the head, if a crash of the connector is found inside it now. */
  note(next: Next): Head | null {
    const head = "head" in next ? next.head : null
    // Whether a crash lies inside it may show only with its last rows.
    const newlyDisturbed = head?.disturbed && head.commitLsn !== this.#disturbedHead ? head : null
    if (newlyDisturbed) {
      this.#disturbed++
      this.#disturbedHead = newlyDisturbed.commitLsn
    }
    // While rows are being staged they are coming: which are missing can be told when all that are here are staged.
    if (next.state !== "waiting-for-rows" && next.state !== "waiting-for-end") this.#waiting = null
    else if (this.#waiting && this.#waiting.head?.commitLsn === head?.commitLsn) this.#waiting.head = head
    else {
      const sinceMs = this.#now()
      this.#waiting = { head, sinceMs, committed: null, isAsking: false, askAgainAtMs: sinceMs }
    }
    return newlyDisturbed
  }

  /** Forgets what was waited for. */
  reset(): void {
    this.#waiting = null
    this.#heardAtMs = this.#now()
  }

  /**
   * The transaction that the connector must have committed before anything can be proven; null when nobody need be
   * asked now. Whoever asks says so by `answered`, whatever comes of it.
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

  /** Takes the answer for a transaction: null when the connector has not committed it, or nobody could tell. */
  answered(commitLsn: Lsn, committed: Committed | null): void {
    const waiting = this.#waiting
    if (waiting?.head?.commitLsn !== commitLsn) return
    waiting.isAsking = false
    waiting.askAgainAtMs = this.#now() + askPauseMs
    if (committed && committed.commitLsn >= commitLsn) waiting.committed ??= committed
  }

  /** How much is proven to have been read, and up to which transaction; null while nothing is. */
  proven(reading: HowFarRead): { head: Head; commitLsn: Lsn; proven: Exclude<Proven, "nothing"> } | null {
    const { head, committed } = this.#waiting ?? {}
    if (!head || !committed) return null
    const proven = judgeReading(committed, reading)
    if (proven === "nothing") return null
    return { head, commitLsn: proven === "everything" ? committed.commitLsn : head.commitLsn, proven }
  }

  /** What is waited for, in words; null when there is nothing to tell. */
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
