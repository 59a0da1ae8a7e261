// Part of step 2 (decode): from a writer's Avro schema to the smallest reader schema that still has everything the engine
// reads. Keeping the writer's record names makes Avro resolve one against the other, which is done once per schema and
// refuses a writer whose fields are of other types. Skipping the rest (half of every envelope) is what makes decoding cheap.
import avsc from "avsc"
import { z } from "zod"

export type Json = null | boolean | number | string | Json[] | { [member: string]: Json }
export type JsonRecord = { [member: string]: Json }

const jsonShape: z.ZodType<Json> = z.json()

/** The JSON of a schema's text. @throws SyntaxError when it is none, as with a schema of another format. */
export const parseSchema = (text: string): Json => jsonShape.parse(JSON.parse(text))

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

/** @throws when it is no Avro schema. */
export function parseAvro(schema: Json): avsc.Type {
  if (!isSchema(schema)) throw new SyntaxError(`${JSON.stringify(schema)} is no Avro schema`)
  return avsc.Type.forSchema(schema, { wrapUnions: false, typeHook: exactLong })
}

/** A schema is a text, a record or a list; the Avro library refuses the rest of those that are none. */
const isSchema = (schema: unknown): schema is avsc.Schema =>
  typeof schema === "string" || (typeof schema === "object" && schema !== null)

/** A long with attributes (every column that has a default) is an object to avsc and in no registry of names. */
export function exactLong(schema: unknown): avsc.Type | undefined {
  const isLong =
    schema === "long" ||
    (typeof schema === "object" && schema !== null && "type" in schema && schema.type === "long")
  return isLong ? longType : undefined
}

/**
 * Reads records of the writer's schema as the reader's. `has` tells the compiler what every record of the reader's schema
 * has.
 * @throws when Avro cannot read every record of the one schema as the other.
 */
export function resolve<Shape>(
  writer: Json,
  reader: Json,
  has: (value: unknown) => value is Shape,
): (payload: Buffer) => Shape {
  const type = parseAvro(reader)
  const resolver: avsc.Resolver = type.createResolver(parseAvro(writer))
  return (payload) => {
    const value: unknown = type.fromBuffer(payload, resolver, true)
    if (!has(value)) throw new TypeError("its values are not of its schema's types")
    return value
  }
}

/** A table's envelope schema and, inside it, the records of the table's row, of its source block and its transaction. */
export type EnvelopeSchema = Readonly<Record<"envelope" | "row" | "source" | "transaction", JsonRecord>>

/** @returns the parts of a writer's schema, or what a Debezium envelope would have and it has not. */
export function readEnvelopeSchema(writer: Json): EnvelopeSchema | { lacks: string } {
  if (!isRecord(writer)) return { lacks: "a record" }
  const row = nonNull(typeOf(writer, "before"))
  const source = nonNull(typeOf(writer, "source"))
  const transaction = nonNull(typeOf(writer, "transaction"))
  if (!isRecord(row)) return { lacks: "before" }
  if (!isRecord(source)) return { lacks: "source" }
  return isRecord(transaction) ? { envelope: writer, row, source, transaction } : { lacks: "transaction" }
}

/** The lean reader schema of a data topic, with these columns of the row. */
export function leanEnvelope(schema: EnvelopeSchema, columns: readonly string[]): Json {
  const { envelope, row, source, transaction } = schema
  const kept = fieldsOf(row).filter((field) => columns.includes(nameOf(field)))
  return withFields(envelope, {
    before: ["null", { ...row, fields: kept }],
    after: ["null", row.name ?? null],
    source: withFields(source, { lsn: ["null", "long"], sequence: ["null", "string"] }),
    transaction: ["null", withFields(transaction, { id: "string" })],
    op: "string",
  })
}

/** A record of the same name with these fields alone. */
export const withFields = (record: JsonRecord, types: JsonRecord): JsonRecord => ({
  ...record,
  fields: Object.entries(types).map(([name, type]) => ({ name, type })),
})

export const isRecord = (value: Json | undefined): value is JsonRecord =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The one branch of a nullable union that is not null; other types as they are. */
export const nonNull = (type: Json): Json =>
  Array.isArray(type) ? (type.find((branch) => branch !== "null") ?? null) : type

export function fieldsOf(record: JsonRecord): JsonRecord[] {
  return Array.isArray(record.fields) ? record.fields.filter(isRecord) : []
}

export const nameOf = (field: JsonRecord): string => (typeof field.name === "string" ? field.name : "")

export const typeOf = (record: JsonRecord, name: string): Json =>
  fieldsOf(record).find((field) => field.name === name)?.type ?? null
