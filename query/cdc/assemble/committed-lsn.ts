// Part of step 3 (assemble): asks Kafka Connect how far the connector has committed its source offset. The proof
// that a transaction has been read begins with this answer (proof.ts).
import { z } from "zod"
import { EngineError, httpFault } from "../vocabulary/errors.ts"
import { type Lsn, toLsn } from "../vocabulary/lsn.ts"

const offsetsShape = z.object({
  offsets: z.array(z.object({ offset: z.looseObject({ lsn_commit: z.coerce.bigint().nullish() }) })),
})
const requestTimeoutMs = 3_000

export type FetchCommittedLsn = () => Promise<Lsn | null>

/** Makes the question how far the connector has committed its source offset; null means that it never has. */
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
