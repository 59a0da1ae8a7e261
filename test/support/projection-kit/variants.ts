// Part of the projection kit: the ways in which the same history may reach the read models. Whatever the way, they must
// end the same.
import type { Transaction } from "../../../query/cdc/vocabulary/change.ts"
import { lsn } from "../../query/cdc/given/records.ts"
import type { Random } from "../random.ts"
import { assembled, feedOf, inBatches, interleaved, type Receiver, twice } from "./delivery.ts"
import type { SourceTransaction } from "./given-changes.ts"

export type Variant = {
  name: string
  deliver: (history: readonly SourceTransaction[], to: Receiver, random: Random) => Promise<void>
}

const copies = [1, 2, 3]

/** All variants of a history of so many transactions. */
export const variantsOf = (transactions: number): Variant[] => [
  { name: "one transaction after the other", deliver: (history, to) => inBatches(history, to, () => true) },
  { name: "all in one batch", deliver: (history, to) => inBatches(history, to, () => false) },
  ...copies.map((n) => ({
    name: `batches cut at random (${n})`,
    deliver: (history: readonly SourceTransaction[], to: Receiver, random: Random) =>
      inBatches(history, to, () => random.chance(0.5)),
  })),
  {
    name: "long values not sent again, one transaction after the other",
    deliver: (history, to) => inBatches(history.map(unsent), to, () => true),
  },
  {
    name: "long values not sent again, all in one batch",
    deliver: (history, to) => inBatches(history.map(unsent), to, () => false),
  },
  ...copies.map((n) => ({
    name: `partitions read at random paces (${n})`,
    deliver: (history: readonly SourceTransaction[], to: Receiver, random: Random) =>
      assembled(interleaved(feedOf(history), random), to, lsn(0)),
  })),
  {
    name: "every record twice",
    deliver: (history, to, random) =>
      assembled(interleaved(feedOf(history).map(twice(random)), random), to, lsn(0)),
  },
  {
    name: "applied, then everything from the start again",
    async deliver(history, to) {
      await inBatches(history, to, () => true)
      await to.rewind()
      await inBatches(history, to, () => true)
    },
  },
  ...copies.map((n) => ({
    name: `a change parked and redriven in the end (${n})`,
    async deliver(history: readonly SourceTransaction[], to: Receiver, random: Random) {
      const whole: Transaction[] = []
      const collect = async (released: readonly Transaction[]) => void whole.push(...released)
      await inBatches(history, { ...to, apply: collect }, () => true)
      await to.redrive(whole, random.pick(whole.flatMap(({ records }) => records)))
    },
  })),
  ...Array.from({ length: transactions }, (_, at) => ({
    name: `a base load after transaction ${at + 1}, then the rest`,
    async deliver(history: readonly SourceTransaction[], to: Receiver, random: Random) {
      const base = history[at]
      if (!base) return
      await to.load(base.rows, base.commitLsn)
      await assembled(interleaved(feedOf(history), random), to, base.commitLsn)
    },
  })),
]

const unsent = (transaction: SourceTransaction): SourceTransaction => ({
  ...transaction,
  records: transaction.unsent,
})
