// Proves that every record of a transaction has been read, when counts cannot tell: the connector has committed
// its own source offset at or beyond the transaction (so Kafka has acknowledged all of it), and every data
// partition has been read up to where it ended after that.
// Costs at most the worker's offset.flush.interval.ms.
import { z } from "zod"
import type { EndOffsets } from "../vocabulary/change.ts"
import { EngineError, httpFault } from "../vocabulary/errors.ts"
import { type Lsn, toLsn } from "../vocabulary/lsn.ts"

const offsetsShape = z.object({
  offsets: z.array(z.object({ offset: z.looseObject({ lsn_commit: z.coerce.bigint().nullish() }) })),
})
const requestTimeoutMs = 3_000

export type FetchCommittedLsn = () => Promise<Lsn | null>

/** Reads how far the connector has committed its source offset; null before the first commit. */
export function createCommittedLsnFetcher(connectUrl: string, connectorName: string): FetchCommittedLsn {
  return async () => {
    const url = new URL(`/connectors/${encodeURIComponent(connectorName)}/offsets`, connectUrl)
    const response = await fetch(url, { signal: AbortSignal.timeout(requestTimeoutMs) }).catch(
      (cause: unknown) => {
        throw new EngineError("dependency-down", `Kafka Connect at ${connectUrl} does not answer.`, {
          cause,
        })
      },
    )
    if (!response.ok) {
      throw httpFault(
        `Kafka Connect answered ${response.status} for the offsets of ${connectorName}.`,
        response.status,
      )
    }
    const { offsets } = offsetsShape.parse(await response.json())
    const committed = offsets[0]?.offset.lsn_commit
    return committed == null ? null : toLsn(committed)
  }
}

export type Proof = {
  /** Up to where "everything" holds: a crash disturbs many transactions, and one proof serves all of them. */
  coversUpTo: () => Lsn
  /**
   * Takes the next step. A partition in which a later transaction has been read needs no more for the rows of this
   * one: it may be far from its end, or paused.
   */
  step: (reading: Reading) => Promise<Proven>
}

/** How far the data topics have been read, by `topic/partition`. */
export type Reading = {
  /** Next offset to read. */
  next: () => ReadonlyMap<string, bigint>
  /** Whether a record of a transaction after the head has been read from the partition. */
  isReadBeyondHead: (partition: string) => boolean
}

/**
 * `rows`: every row of the transaction has been read; `everything`: every copy of every record, too, and every
 * marker of it in the commit log.
 */
export type Proven = "nothing" | "rows" | "everything"

export function createProof(
  commitLsn: Lsn,
  fetchCommittedLsn: FetchCommittedLsn,
  fetchEndOffsets: () => Promise<EndOffsets>,
): Proof {
  let endOffsets: EndOffsets | null = null
  let coveredUpTo = commitLsn
  return {
    coversUpTo: () => coveredUpTo,
    async step({ next, isReadBeyondHead }) {
      if (!endOffsets) {
        const committed = await fetchCommittedLsn()
        if (committed === null || committed < commitLsn) return "nothing"
        endOffsets = await fetchEndOffsets()
        coveredUpTo = committed
      }
      const read = next()
      const isUnread = ([partition, end]: [string, bigint]): boolean => (read.get(partition) ?? 0n) < end
      const unread = [...endOffsets.data].filter(isUnread)
      if (unread.length === 0 && ![...endOffsets.commitLog].some(isUnread)) return "everything"
      return unread.every(([partition]) => isReadBeyondHead(partition)) ? "rows" : "nothing"
    },
  }
}
