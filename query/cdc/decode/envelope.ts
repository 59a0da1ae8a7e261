// Part of step 2 (decode): how the records of one schema and key schema are read. It is worked out once for both and
// kept. Where they do not fit the projections, a record's place in history is still read, and why it is all that is.
import type { SourceTable } from "../projection/projection.ts"
import type { Image } from "../projection/row-image.ts"
import type { EngineError } from "../vocabulary/errors.ts"
import { type Json, leanEnvelope, readEnvelopeSchema, resolve } from "./lean-schema.ts"
import { findMisfit, notAnEnvelope } from "./schema-fit.ts"

/** Of Debezium's envelope, the part that is read; `leanEnvelope` says the same to Avro. */
export type Envelope = {
  before: Image | null
  after: Image | null
  source: { lsn: bigint | null; sequence: string | null }
  transaction: { id: string } | null
  op: string
}

export type EnvelopeReading = {
  /** The smallest envelope that has everything the engine reads. */
  decode: (payload: Buffer) => Envelope
  schemaId: number
  misfit: EngineError | null
}

/** Schemas as the registry has them; `key` is null for records without a key. */
export type RecordSchemas = { schemaId: number; writer: Json; key: Json | null }

/** @throws EngineError (halt) when the schema has a table's name and is no envelope. */
export function createEnvelopeReading(table: SourceTable, schemas: RecordSchemas): EnvelopeReading {
  const { schemaId, writer, key } = schemas
  const schema = readEnvelopeSchema(writer)
  if ("lacks" in schema) throw notAnEnvelope(table.name, `its envelope has no ${schema.lacks}`)
  const misfit = findMisfit(table, { schemaId, value: schema.row, key })
  const columns = misfit ? [] : [...table.key, ...table.columns]
  const names = columns.map(({ name }) => name)
  try {
    return { decode: resolve(writer, leanEnvelope(schema, names), isEnvelope), schemaId, misfit }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw notAnEnvelope(table.name, `its schema ${schemaId} is not an envelope's (${reason})`)
  }
}

function isEnvelope(value: unknown): value is Envelope {
  return (
    typeof value === "object" &&
    value !== null &&
    "op" in value &&
    typeof value.op === "string" &&
    "before" in value &&
    typeof value.before === "object" &&
    "after" in value &&
    typeof value.after === "object" &&
    "source" in value &&
    isSourceBlock(value.source) &&
    "transaction" in value &&
    (value.transaction === null || isTransactionBlock(value.transaction))
  )
}

const isSourceBlock = (value: unknown): value is Envelope["source"] =>
  typeof value === "object" &&
  value !== null &&
  "lsn" in value &&
  (value.lsn === null || typeof value.lsn === "bigint") &&
  "sequence" in value &&
  (value.sequence === null || typeof value.sequence === "string")

const isTransactionBlock = (value: unknown): value is Envelope["transaction"] =>
  typeof value === "object" && value !== null && "id" in value && typeof value.id === "string"

/** Debezium names a table's envelope `<prefix>.<schema>.<table>.Envelope`, with what Avro forbids as `_`. */
export function isEnvelopeOf(schema: unknown, table: string): boolean {
  return nameOfSchema(schema).endsWith(`.${table.replaceAll(/[^A-Za-z0-9_]/g, "_")}.Envelope`)
}

export function nameOfSchema(schema: unknown): string {
  if (typeof schema !== "object" || schema === null || !("name" in schema)) return JSON.stringify(schema)
  return "namespace" in schema ? [schema.namespace, schema.name].join(".") : String(schema.name)
}
