// Part of step 2 (decode): what a record of the commit log says. Debezium writes a BEGIN and an END per transaction.
// https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-transaction-metadata
import type { CommitLogEntry } from "../vocabulary/change.ts"
import { parseLsn } from "../vocabulary/lsn.ts"
import { isRecord, type Json, nonNull, resolve, typeOf, withFields } from "./lean-schema.ts"

type Marker = {
  status: string
  id: string
  data_collections: ({ data_collection: string; event_count: bigint } | null)[] | null
}

/**
 * How the commit log's records of a schema are read. The reading throws SyntaxError for a record that is neither a BEGIN
 * nor an END.
 * @throws when the schema has not the fields of a BEGIN or an END.
 */
export function createMarkerReading(writer: Json): (offset: bigint, payload: Buffer) => CommitLogEntry {
  const decode = resolve(writer, leanMarker(writer), isMarker)
  return (offset, payload) => readMarker(offset, decode(payload))
}

function leanMarker(writer: Json): Json {
  const collections = isRecord(writer) ? nonNull(typeOf(writer, "data_collections")) : null
  const collection = isRecord(collections) ? nonNull(collections.items ?? null) : null
  if (!isRecord(writer) || !isRecord(collection)) throw new SyntaxError("it has no data_collections")
  const count = withFields(collection, { data_collection: "string", event_count: "long" })
  return withFields(writer, {
    status: "string",
    id: "string",
    data_collections: ["null", { type: "array", items: ["null", count] }],
  })
}

function isMarker(value: unknown): value is Marker {
  return (
    typeof value === "object" &&
    value !== null &&
    "status" in value &&
    typeof value.status === "string" &&
    "id" in value &&
    typeof value.id === "string" &&
    "data_collections" in value &&
    (value.data_collections === null ||
      (Array.isArray(value.data_collections) && value.data_collections.every(isCount)))
  )
}

const isCount = (value: unknown): boolean =>
  value === null ||
  (typeof value === "object" &&
    "data_collection" in value &&
    typeof value.data_collection === "string" &&
    "event_count" in value &&
    typeof value.event_count === "bigint")

function readMarker(offset: bigint, marker: Marker): CommitLogEntry {
  const { xid, lsn } = readTransactionId(marker.id)
  if (marker.status === "BEGIN") return { status: "BEGIN", offset, xid }
  if (marker.status !== "END") throw new SyntaxError(`status is ${marker.status}`)
  const counts = new Map<string, number>()
  for (const count of marker.data_collections ?? []) {
    if (count === null) throw new SyntaxError("a table's count is missing")
    counts.set(count.data_collection, Number(count.event_count))
  }
  return { status: "END", offset, xid, commitLsn: parseLsn(lsn), counts }
}

/** `xid:lsn`; the LSN is the record's own, and that of an END is the commit LSN. @throws SyntaxError */
export function readTransactionId(id: string): { xid: string; lsn: string } {
  const [xid, lsn] = id.split(":")
  if (!xid || !lsn) throw new SyntaxError(`transaction id is ${id}`)
  return { xid, lsn }
}
