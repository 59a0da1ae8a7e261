// Part of step 4 (apply): where a history may be cut so that its parts, applied one after the other in one Postgres
// transaction, do what the whole does. Changes with one LSN stay together: the two halves of a primary key change
// share it, and the new key's row may take a value from the old key's.
import type { DataRecord, Transaction } from "../vocabulary/change.ts"

/**
 * Cuts transactions into parts of about `rows` row changes, in their order; a part of a transaction is one with fewer
 * records. Some hundred more at most: rows of a COPY share an LSN by the page. Every transaction is in a part.
 */
export function cutIntoChunks(transactions: readonly Transaction[], rows: number): Transaction[][] {
  const chunks: Transaction[][] = []
  let chunk: Transaction[] = []
  let size = 0
  const close = (): void => {
    chunks.push(chunk)
    chunk = []
    size = 0
  }
  for (const transaction of transactions) {
    let from = 0
    while (from < transaction.records.length || from === 0) {
      if (size >= rows) close()
      const to = endOfChunk(transaction.records, from + rows - size)
      chunk.push({ ...transaction, records: transaction.records.slice(from, to) })
      size += to - from
      if (to === 0) break
      from = to
    }
  }
  if (chunk.length > 0) close()
  return chunks
}

/** The first index from `wanted` on at which the LSN changes. */
function endOfChunk(records: readonly DataRecord[], wanted: number): number {
  let end = Math.min(wanted, records.length)
  while (end < records.length && end > 0 && records[end]?.lsn === records[end - 1]?.lsn) end++
  return end
}
