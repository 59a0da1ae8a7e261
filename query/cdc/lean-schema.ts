// Part of step 2 (decode): from a writer's Avro schema to the smallest reader schema that still has everything
// the engine reads. Keeping the writer's record names makes Avro resolve one against the other, and skipping the
// rest (half of every envelope) is what makes decoding cheap.
import avsc from "avsc"
import { EngineError } from "./errors.ts"
import type { Column, ColumnType } from "./projection.ts"

type Json = null | boolean | number | string | Json[] | { [member: string]: Json }
type JsonRecord = { [member: string]: Json }

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

/**
 * How each column type must look in the writer's schema. Debezium names the meaning, Avro the bytes: a long without
 * a name is a bigint, with the name of a timestamp it is none.
 */
const expected: Record<ColumnType, { type: string; name?: string }> = {
  text: { type: "string" },
  integer: { type: "int" },
  bigint: { type: "long" },
  boolean: { type: "boolean" },
  timestamptz: { type: "string", name: "io.debezium.time.ZonedTimestamp" },
  jsonb: { type: "string", name: "io.debezium.data.Json" },
}

/** The lean reader schema of a data topic. @throws EngineError (halt) when a column that is read is missing or retyped. */
export function leanEnvelope(writer: Json, table: string, columns: readonly Column[]): Json {
  const envelope = asRecord(writer, table)
  const fields = fieldsOf(envelope)
  const before = recordIn(typeOf(fields, "before", table), table)
  assertColumns(before, table, columns)
  const keep: Record<string, Json> = {
    before: ["null", pruneRecord(before, new Set(columns.map((column) => column.name)))],
    after: typeOf(fields, "after", table),
    source: pruneRecord(asRecord(typeOf(fields, "source", table), table), new Set(["lsn", "sequence"])),
    transaction: [
      "null",
      pruneRecord(recordIn(typeOf(fields, "transaction", table), table), new Set(["id"])),
    ],
    op: typeOf(fields, "op", table),
  }
  return {
    ...envelope,
    fields: fields
      .filter((field) => nameOf(field) in keep)
      .map((field) => ({ ...field, type: keep[nameOf(field)] ?? null })),
  }
}

function assertColumns(value: JsonRecord, table: string, columns: readonly Column[]): void {
  const byName = new Map(fieldsOf(value).map((field) => [field.name, field.type ?? null]))
  for (const column of columns) {
    const type = byName.get(column.name)
    if (type === undefined) throw incompatible(table, `column ${column.name} is missing`)
    const actual = nonNull(type)
    const actualType = isRecord(actual) ? actual.type : actual
    const actualName = isRecord(actual) ? actual["connect.name"] : undefined
    const want = expected[column.type]
    if (actualType !== want.type || actualName !== want.name) {
      throw incompatible(table, `column ${column.name} is ${JSON.stringify(actual)}, not ${column.type}`)
    }
  }
}

function incompatible(table: string, what: string): EngineError {
  return new EngineError(
    "incompatible-schema",
    `The stream of table ${table} does not fit the projections: ${what}.`,
    {
      nextStep: "Deploy a query service whose projections fit the table; nothing is lost meanwhile.",
      detail: { table },
    },
  )
}

const pruneRecord = (record: JsonRecord, keep: ReadonlySet<string>): JsonRecord => ({
  ...record,
  fields: fieldsOf(record).filter((field) => keep.has(nameOf(field))),
})

const isRecord = (value: Json | undefined): value is JsonRecord =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The one branch of a nullable union that is not null; other types as they are. */
const nonNull = (type: Json): Json =>
  Array.isArray(type) ? (type.find((branch) => branch !== "null") ?? null) : type

function recordIn(type: Json, table: string): JsonRecord {
  return asRecord(nonNull(type), table)
}

function asRecord(value: Json, table: string): JsonRecord {
  if (!isRecord(value)) throw incompatible(table, "it is not a Debezium envelope")
  return value
}

function fieldsOf(record: JsonRecord): JsonRecord[] {
  return Array.isArray(record.fields) ? record.fields.filter(isRecord) : []
}

const nameOf = (field: JsonRecord): string => (typeof field.name === "string" ? field.name : "")

function typeOf(fields: JsonRecord[], name: string, table: string): Json {
  const field = fields.find((candidate) => candidate.name === name)
  if (field?.type === undefined) throw incompatible(table, `its envelope has no ${name}`)
  return field.type
}
