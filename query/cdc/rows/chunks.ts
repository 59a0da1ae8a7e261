// Part of step 4 (apply): cuts a history into parts. Applied one after the other in one Postgres transaction, the parts
// do the same as the whole. Changes with one LSN stay together: the two halves of a primary key change share an LSN,
// and the row of the new key may take a value from the row of the old key.
import type { DataRecord, Transaction } from "../vocabulary/change.ts"

/**
 * Cuts transactions into chunks of about `rows` row changes, in their order. A transaction that is cut is in several
 * chunks, with some of its records in each. A chunk may have some hundred rows more, because rows of a COPY share an
 * LSN by the page. Every transaction is in a chunk: 3, 0 and 4 rows, cut at 5, give the chunks (3, 0, 2) and (2).
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
