// Part of the projection kit: how the records of a history reach the read models: laid into partitions, read at any
// pace, put together by the engine's assembler and applied by its apply.
import { createAssembler } from "../../../query/cdc/assemble/assemble.ts"
import {
  type CommitLogEntry,
  type DataRecord,
  partitionKey,
  type Transaction,
} from "../../../query/cdc/vocabulary/change.ts"
import type { Lsn } from "../../../query/cdc/vocabulary/lsn.ts"
import { lsn } from "../../query/cdc/given/records.ts"
import type { Random } from "../random.ts"
import type { SourceRows, SourceTransaction } from "./given-changes.ts"

/** Where a variant is delivered to: empty read models. */
export type Receiver = {
  tables: ReadonlySet<string>
  apply: (transactions: readonly Transaction[]) => Promise<void>
  /** Fills them as a base load does at C, derived models included. */
  load: (rows: SourceRows, at: Lsn) => Promise<void>
  /** Forgets how far they are, and keeps the rows. */
  rewind: () => Promise<void>
  /** Applies all but this change, which is parked, and redrives it then. */
  redrive: (transactions: readonly Transaction[], parked: DataRecord) => Promise<void>
}

type Fed = DataRecord | CommitLogEntry
/** What lies in each partition, the commit log being one. */
type Feed = readonly (readonly Fed[])[]

export async function inBatches(
  history: readonly SourceTransaction[],
  to: Receiver,
  endsBatch: () => boolean,
): Promise<void> {
  let batch: Transaction[] = []
  await assembled(
    history.flatMap(({ records, entries: [beginning, ending] }) => [beginning, ...records, ending]),
    {
      ...to,
      async apply(transactions) {
        batch.push(...transactions)
        if (!endsBatch()) return
        await to.apply(batch)
        batch = []
      },
    },
    lsn(0),
  )
  if (batch.length > 0) await to.apply(batch)
}

export function feedOf(history: readonly SourceTransaction[]): Fed[][] {
  const partitions = new Map<string, Fed[]>()
  for (const record of history.flatMap(({ records }) => records)) {
    const { topic, partition } = record.origin
    const key = partitionKey(topic, partition)
    partitions.set(key, [...(partitions.get(key) ?? []), record])
  }
  return [history.flatMap(({ entries }) => entries), ...partitions.values()]
}

/** Each partition in its order, and nothing else in any. */
export function interleaved(feed: Feed, random: Random): Fed[] {
  const waiting = feed.map((partition) => [...partition])
  const read: Fed[] = []
  for (;;) {
    const ready = waiting.filter((partition) => partition.length > 0)
    if (ready.length === 0) return read
    read.push(...random.pick(ready).splice(0, 1 + random.below(3)))
  }
}

/** As after a crash of the connector: a stretch of the partition is written once more behind itself. */
export const twice =
  (random: Random) =>
  (partition: readonly Fed[]): Fed[] => {
    const again: Fed[] = []
    let from = 0
    partition.forEach((fed, at) => {
      again.push(fed)
      if (at + 1 < partition.length && random.chance(0.6)) return
      again.push(...partition.slice(from, at + 1))
      from = at + 1
    })
    return again
  }

export async function assembled(fed: readonly Fed[], to: Receiver, baseLsn: Lsn): Promise<void> {
  const assembler = createAssembler({ lastEnd: lsn(1_000), baseLsn, tables: to.tables })
  const release = async (): Promise<void> => {
    for (;;) {
      const next = assembler.next()
      if (next.state !== "released") return
      await to.apply([next.transaction])
    }
  }
  let last = lsn(0)
  for (const one of fed) {
    if ("status" in one) {
      assembler.addEntry(one)
      if (one.status === "END") last = one.commitLsn
    } else assembler.addRecord(one)
    await release()
  }
  // A transaction with two BEGINs waits for the proof that everything has been read, which it has.
  assembler.prove(last)
  await release()
}
