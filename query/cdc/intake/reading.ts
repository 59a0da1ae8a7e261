// Part of step 1 (fetch): keeps the offset of each partition that is taken next. Kafka's client may deliver an older
// batch after a seek, and may go on at another offset without a word. So every record is checked: the record at the
// expected offset is taken, an older record is passed over, and after a later record the partition is sought again.
// Example: offset 7 of `t/0` is expected. A batch of 5, 6, 7 gives "older", "older", "next"; a batch from 9 on
// gives "ahead". Pure: the intake acts.

export class Reading {
  /** Next offset to take, by `topic/partition`; empty while no session is open. */
  #next = new Map<string, bigint>()
  /** Rises with every begin and end, so that no record fetched for one session is taken in another. */
  #session = 0
  #isOpen = false

  /** Begins a session at these offsets, by `topic/partition`. */
  begin(next: ReadonlyMap<string, bigint>): void {
    this.#next = new Map(next)
    this.#session++
    this.#isOpen = true
  }

  /** Ends the session: records that are delivered now were fetched from offsets that mean nothing any more. */
  end(): void {
    this.#next = new Map()
    this.#session++
    this.#isOpen = false
  }

  /** The open session, or null. A decoded record is handed over only if the session is the same as before decoding. */
  session(): number | null {
    return this.#isOpen ? this.#session : null
  }

  /** Next offset to take, by `topic/partition`. */
  next(): ReadonlyMap<string, bigint> {
    return this.#next
  }

  /** The offset that is taken next in this partition. */
  expected(partition: string): bigint {
    return this.#next.get(partition) ?? 0n
  }

  /** Compares the offset of a record with the expected offset. */
  judge(partition: string, offset: bigint): "older" | "next" | "ahead" {
    const expected = this.expected(partition)
    if (offset < expected) return "older"
    return offset === expected ? "next" : "ahead"
  }

  /** Says that the expected record of this partition was taken. */
  advance(partition: string): void {
    this.#next.set(partition, this.expected(partition) + 1n)
  }
}
