// Step 2 of the flow: from the bytes of a Kafka record to a row change or a commit-log entry. Schemas are fetched
// once per id and resolved once per (topic, id); after that a record costs some microseconds.
// Debezium: https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-events
import type { SourceTable } from "../projection/projection.ts"
import { keyOf, readKey, rowOf } from "../projection/row-image.ts"
import {
  type Change,
  type CommitLogEntry,
  type DataRecord,
  originText,
  type RawRecord,
  type Value,
} from "../vocabulary/change.ts"
import { classifyError, EngineError } from "../vocabulary/errors.ts"
import { type Lsn, parseLsn, toLsn } from "../vocabulary/lsn.ts"
import {
  createEnvelopeReading,
  type Envelope,
  type EnvelopeReading,
  isEnvelopeOf,
  nameOfSchema,
} from "./envelope.ts"
import { type Json, parseAvro, parseSchema } from "./lean-schema.ts"
import { createMarkerReading, readTransactionId } from "./marker.ts"
import { emptyKey } from "./schema-fit.ts"
import type { FetchSchema } from "./schema-registry.ts"

export type Decoder = ReturnType<typeof createDecoder>

export function createDecoder(fetchSchema: FetchSchema) {
  const readings = new Map<string, EnvelopeReading>()
  const markers = new Map<number, ReturnType<typeof createMarkerReading>>()

  return {
    /**
     * @returns the row change, or null for what is none: a tombstone, and a snapshot read (base loads are ours,
     * Debezium's reads cannot be placed in history exactly). A record whose schema does not fit the projections, and a
     * TRUNCATE, is a blocked change at its place in history.
     * @throws EngineError (dead-letter) for a record that cannot be read; (halt) for a schema that is no envelope;
     * (retry) while the registry is down.
     */
    async decodeData(raw: RawRecord, table: SourceTable): Promise<DataRecord | null> {
      if (raw.value === null) return null
      const frame = readFrame(raw, raw.value)
      const keySchemaId = raw.key && readFrame(raw, raw.key).schemaId
      const cacheKey = `${raw.topic}#${frame.schemaId}#${keySchemaId}`
      let reading = readings.get(cacheKey)
      if (!reading) {
        reading = await prepareReading(raw, frame.schemaId, keySchemaId, table)
        readings.set(cacheKey, reading)
      }
      const { decode } = reading
      const envelope = guarded(raw, () => decode(frame.payload))
      if (envelope.op === "r") return null
      return toDataRecord(raw, envelope, table, reading)
    },

    /** The row's key in the table's order; null when the record's key cannot be read. @throws EngineError (retry). */
    async decodeKey(raw: RawRecord, table: SourceTable): Promise<readonly Value[] | null> {
      try {
        const frame = readFrame(raw, raw.key)
        const type = parseAvro(await readSchema(raw, frame.schemaId))
        const key: unknown = type.fromBuffer(frame.payload)
        return readKey(key, table)
      } catch (error) {
        if (classifyError(error).code === "dependency-down") throw error
        return null
      }
    },

    /** @throws EngineError (halt) for an entry that cannot be read; (retry) while the registry is down. */
    async decodeEntry(raw: RawRecord): Promise<CommitLogEntry> {
      try {
        const frame = readFrame(raw, raw.value)
        let read = markers.get(frame.schemaId)
        if (!read) {
          const writer = await readSchema(raw, frame.schemaId)
          read = guarded(raw, () => createMarkerReading(writer))
          markers.set(frame.schemaId, read)
        }
        const reading = read
        return guarded(raw, () => reading(raw.offset, frame.payload))
      } catch (error) {
        if (error instanceof EngineError && error.disposition === "dead-letter") throw unreadableLog(error)
        throw error
      }
    },
  }

  async function prepareReading(
    raw: RawRecord,
    schemaId: number,
    keySchemaId: number | null,
    table: SourceTable,
  ): Promise<EnvelopeReading> {
    const writer = await readSchema(raw, schemaId)
    if (!isEnvelopeOf(writer, table.name)) {
      throw undecodable(raw, `schema ${schemaId} (${nameOfSchema(writer)}) is not one of its table`)
    }
    const key = keySchemaId === null ? null : await readSchema(raw, keySchemaId)
    return createEnvelopeReading(table, { schemaId, writer, key })
  }

  /** @throws EngineError (dead-letter) for a schema that is not in Avro's form; (retry) while the registry is down. */
  async function readSchema(raw: RawRecord, schemaId: number): Promise<Json> {
    const text = await fetchSchema(schemaId)
    return guarded(raw, () => parseSchema(text))
  }
}

/** Confluent wire format: a zero byte, the schema id in four bytes, the Avro payload. */
function readFrame(raw: RawRecord, bytes: Buffer | null): { schemaId: number; payload: Buffer } {
  if (!bytes || bytes.length < 6 || bytes[0] !== 0) {
    throw undecodable(raw, "it is not in the registry's wire format")
  }
  return { schemaId: bytes.readInt32BE(1), payload: bytes.subarray(5) }
}

function toDataRecord(
  raw: RawRecord,
  envelope: Envelope,
  table: SourceTable,
  reading: EnvelopeReading,
): DataRecord {
  const { source, transaction } = envelope
  if (!transaction || source.lsn === null || source.sequence === null) {
    throw undecodable(raw, "it belongs to no transaction (is provide.transaction.metadata on?)")
  }
  return {
    origin: { topic: raw.topic, partition: raw.partition, offset: raw.offset },
    runId: raw.headers["__debezium.context.runId"]?.toString() ?? "",
    identity: `${table.name}|${envelope.op}|${source.lsn}|${raw.key?.toString("latin1") ?? ""}`,
    xid: guarded(raw, () => readTransactionId(transaction.id).xid),
    lsn: toLsn(source.lsn),
    previousCommitLsn: guarded(raw, () => readPreviousCommitLsn(source.sequence ?? "")),
    bytes: raw.value?.length ?? 0,
    change: guarded(raw, () => toChange(raw, envelope, table, reading)),
  }
}

function toChange(
  raw: RawRecord,
  envelope: Envelope,
  table: SourceTable,
  { misfit, schemaId }: EnvelopeReading,
): Change {
  if (envelope.op === "t") return blocked(table, truncated(raw, table.name))
  if (misfit) return blocked(table, misfit)
  if (envelope.op === "d") {
    const before = envelope.before
    if (!before) throw undecodable(raw, "it is a delete without the row's key")
    if (table.key.every(({ name }) => isZero(before[name]))) {
      return blocked(table, emptyKey(table.name, schemaId))
    }
    return { op: "delete", table: table.name, key: keyOf(before, table) }
  }
  const after = envelope.after
  if (!after || (envelope.op !== "c" && envelope.op !== "u")) {
    throw undecodable(raw, `its operation is "${envelope.op}"`)
  }
  const key = keyOf(after, table)
  return { op: "upsert", table: table.name, key, row: rowOf(after, table, key), isNew: envelope.op === "c" }
}

const blocked = ({ name }: SourceTable, error: EngineError): Change => ({
  op: "blocked",
  table: name,
  key: [],
  error,
})

const isZero = (value: unknown): boolean =>
  value === null || value === undefined || value === "" || value === 0 || value === 0n

/** `source.sequence` is a JSON text: `["previousCommitLsn","lsn"]`, the first of them null on a new slot. */
function readPreviousCommitLsn(sequence: string): Lsn | null {
  const match = /^\["(\d+)",/.exec(sequence)
  if (match?.[1]) return parseLsn(match[1])
  if (sequence.startsWith("[null,")) return null
  throw new SyntaxError(`source.sequence is ${sequence}`)
}

function guarded<Result>(raw: RawRecord, read: () => Result): Result {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof EngineError) throw cause
    throw undecodable(raw, cause instanceof Error ? cause.message : String(cause), cause)
  }
}

function undecodable(raw: RawRecord, what: string, cause?: unknown): EngineError {
  return new EngineError("undecodable-record", `Record ${originText(raw)} cannot be read: ${what}.`, {
    detail: { topic: raw.topic, partition: raw.partition, offset: String(raw.offset) },
    cause,
  })
}

/** What the entry would have said is not known: it may have been the END of the next transaction. */
function unreadableLog(cause: EngineError): EngineError {
  return new EngineError("undecodable-commit-log", cause.message, {
    nextStep:
      "Nothing after it is applied. Find out who wrote it; a rebuild starts behind it: npx lockstep projection rebuild.",
    detail: cause.detail,
    cause,
  })
}

function truncated(raw: RawRecord, table: string): EngineError {
  return new EngineError("truncate", `Table ${table} was truncated at the source.`, {
    nextStep: "A TRUNCATE names no rows. Rebuild from a snapshot: npx lockstep projection rebuild.",
    detail: { table, topic: raw.topic, partition: raw.partition, offset: String(raw.offset) },
  })
}
