// Part of step 2 (decode): from a writer's Avro schema to the smallest reader schema that still has everything
// the engine reads. Keeping the writer's record names makes Avro resolve one against the other, and skipping the
// rest (half of every envelope) is what makes decoding cheap.
import avsc from "avsc"

export type Json = null | boolean | number | string | Json[] | { [member: string]: Json }
export type JsonRecord = { [member: string]: Json }

/** int64 beyond 2^53 is exact or it is wrong, so every Avro long is a bigint. */
export const longType = avsc.types.LongType.__with({
  fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const buffer = Buffer.alloc(8)
    buffer.writeBigInt64LE(value)
    return buffer
  },
  fromJSON: BigInt,
  toJSON: String,
  // Must reject null, or a nullable long could not tell its branches apart.
  isValid: (value: unknown) => typeof value === "bigint",
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
})

export const parseAvro = (schema: Json): avsc.Type =>
  // The declared type of a schema is stricter than JSON; avsc itself validates what it is given.
  avsc.Type.forSchema(JSON.parse(JSON.stringify(schema)), { wrapUnions: false, typeHook: exactLong })

/** A long with attributes (every column that has a default) is an object to avsc and in no registry of names. */
function exactLong(schema: unknown): avsc.Type | undefined {
  const isLong =
    schema === "long" ||
    (typeof schema === "object" && schema !== null && "type" in schema && schema.type === "long")
  return isLong ? longType : undefined
}

/** A table's envelope schema and, inside it, the record of the table's row. */
export type EnvelopeSchema = { envelope: JsonRecord; row: JsonRecord }

/** @returns the parts of a writer's schema, or what a Debezium envelope would have and it has not. */
export function readEnvelopeSchema(writer: Json): EnvelopeSchema | { lacks: string } {
  if (!isRecord(writer)) return { lacks: "a record" }
  const lacks = ["before", "after", "source", "transaction", "op"].find(
    (name) => typeOf(writer, name) === null,
  )
  if (lacks !== undefined) return { lacks }
  const row = nonNull(typeOf(writer, "before"))
  return isRecord(row) ? { envelope: writer, row } : { lacks: "before" }
}

/** The lean reader schema of a data topic, with these columns of the row. */
export function leanEnvelope({ envelope, row }: EnvelopeSchema, columns: readonly string[]): Json {
  const lean: Record<string, Json> = {
    before: ["null", pruned(row, columns)],
    after: typeOf(envelope, "after"),
    source: pruned(nonNull(typeOf(envelope, "source")), ["lsn", "sequence"]),
    transaction: ["null", pruned(nonNull(typeOf(envelope, "transaction")), ["id"])],
    op: typeOf(envelope, "op"),
  }
  const fields = fieldsOf(envelope)
    .map((field) => ({ field, type: lean[nameOf(field)] }))
    .flatMap(({ field, type }) => (type === undefined ? [] : [{ ...field, type }]))
  return { ...envelope, fields }
}

function pruned(record: Json, keep: readonly string[]): Json {
  if (!isRecord(record)) return record
  return { ...record, fields: fieldsOf(record).filter((field) => keep.includes(nameOf(field))) }
}

export const isRecord = (value: Json | undefined): value is JsonRecord =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The one branch of a nullable union that is not null; other types as they are. */
export const nonNull = (type: Json): Json =>
  Array.isArray(type) ? (type.find((branch) => branch !== "null") ?? null) : type

export function fieldsOf(record: JsonRecord): JsonRecord[] {
  return Array.isArray(record.fields) ? record.fields.filter(isRecord) : []
}

export const nameOf = (field: JsonRecord): string => (typeof field.name === "string" ? field.name : "")

const typeOf = (record: JsonRecord, name: string): Json =>
  fieldsOf(record).find((field) => field.name === name)?.type ?? null
