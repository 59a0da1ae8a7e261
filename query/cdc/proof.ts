// Proves that every record of a transaction has been read, when counts cannot tell: the connector has committed
// its own source offset at or beyond the transaction (so Kafka has acknowledged all of it), and every data
// partition has been read up to where it ended after that.
// Costs at most the worker's offset.flush.interval.ms.
import { z } from "zod"
import { EngineError } from "./errors.ts"
import { type Lsn, toLsn } from "./lsn.ts"

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
        throw new EngineError("retry", "dependency-down", `Kafka Connect at ${connectUrl} does not answer.`, {
          cause,
        })
      },
    )
    if (!response.ok) {
      throw new EngineError(
        "retry",
        "dependency-down",
        `Kafka Connect answered ${response.status} for the offsets of ${connectorName}.`,
      )
    }
    const { offsets } = offsetsShape.parse(await response.json())
    const committed = offsets[0]?.offset.lsn_commit
    return committed == null ? null : toLsn(committed)
  }
}

export type Proof = {
  commitLsn: Lsn
  /**
   * Takes the next step. `next` holds the next offset to read, by `topic/partition`.
   * @returns true once everything of the transaction has been read, copies included.
   */
  step: (next: ReadonlyMap<string, bigint>) => Promise<boolean>
  /**
   * Whether every row of the transaction has been read, as far as `step` has come. A partition in which a later
   * transaction has been read needs no more: it may be far from its end, or paused.
   */
  areRowsRead: (next: ReadonlyMap<string, bigint>, isReadBeyond: (partition: string) => boolean) => boolean
}

export function createProof(
  commitLsn: Lsn,
  fetchCommittedLsn: FetchCommittedLsn,
  fetchEndOffsets: () => Promise<ReadonlyMap<string, bigint>>,
): Proof {
  let endOffsets: ReadonlyMap<string, bigint> | null = null
  const isRead = (next: ReadonlyMap<string, bigint>, partition: string, end: bigint): boolean =>
    (next.get(partition) ?? 0n) >= end
  return {
    commitLsn,
    async step(next) {
      if (!endOffsets) {
        const committed = await fetchCommittedLsn()
        if (committed === null || committed < commitLsn) return false
        endOffsets = await fetchEndOffsets()
      }
      return [...endOffsets].every(([partition, end]) => isRead(next, partition, end))
    },
    areRowsRead: (next, isReadBeyond) =>
      endOffsets !== null &&
      [...endOffsets].every(([partition, end]) => isRead(next, partition, end) || isReadBeyond(partition)),
  }
}
