// Part of step 2 (decode): what a record of the commit log says. Debezium writes a BEGIN and an END per transaction.
// https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-transaction-metadata
import type { CommitLogEntry } from "../vocabulary/change.ts"
import { parseLsn } from "../vocabulary/lsn.ts"

export type Marker = {
  status: string
  id: string
  data_collections: { data_collection: string; event_count: bigint }[] | null
}

/** @throws SyntaxError when it is neither. */
export function readMarker(offset: bigint, marker: Marker): CommitLogEntry {
  const { xid, lsn } = readTransactionId(marker.id)
  if (marker.status === "BEGIN") return { status: "BEGIN", offset, xid }
  if (marker.status !== "END") throw new SyntaxError(`status is ${marker.status}`)
  const counts = new Map<string, number>()
  for (const { data_collection, event_count } of marker.data_collections ?? []) {
    counts.set(data_collection, Number(event_count))
  }
  return { status: "END", offset, xid, commitLsn: parseLsn(lsn), counts }
}

/** `xid:lsn`; the LSN is the record's own, and that of an END is the commit LSN. @throws SyntaxError */
export function readTransactionId(id: string): { xid: string; lsn: string } {
  const [xid, lsn] = id.split(":")
  if (!xid || !lsn) throw new SyntaxError(`transaction id is ${id}`)
  return { xid, lsn }
}
