// Between the steps of a flow: the changes that wait to be parked with the next apply, and the rows that have a dead
// letter already. A change that still waits when the session ends is read again. Pure.
import type { DeadLetter } from "../vocabulary/change.ts"
import {
  type DeadLetterRows,
  deadLetterRowsAfter,
  type Parking,
  type Placement,
  tooManyDeadLetters,
} from "./park.ts"

export class ParkingQueue {
  readonly #limit: number
  #rows: DeadLetterRows
  #waiting: DeadLetter[] = []

  constructor(start: { rows: DeadLetterRows; limit: number }) {
    this.#rows = start.rows
    this.#limit = start.limit
  }

  /** @throws EngineError (halt) when so many changes wait that the stream is bad, and not a record. */
  add(change: DeadLetter): void {
    this.#waiting.push(change)
    if (this.#waiting.length > this.#limit) throw tooManyDeadLetters(change, this.#limit)
  }

  /** The changes and placements that the next apply takes; undefined if nothing waits and no row has a dead letter. */
  take(placements: readonly Placement[]): Parking | undefined {
    if (this.#waiting.length === 0 && placements.length === 0 && this.#rows.size === 0) return undefined
    const changes = this.#waiting
    this.#waiting = []
    return { changes, placements, rows: this.#rows, limit: this.#limit }
  }

  /** The apply that took this parking is committed. */
  stored(parking: Parking): void {
    this.#rows = deadLetterRowsAfter(parking)
  }

  /** Dead letters were redriven or discarded: these rows still have a dead letter. */
  reset(parked: DeadLetterRows): void {
    this.#rows = parked
  }
}
