// Part of step 2 (decode): do the records of a schema give every value that the projections read, exactly? Columns
// that nobody reads may come and go. A column that is read must be there, in a form that its type holds exactly, and
// the records' key must be the table's key. What does not fit is told once per schema and stops the projector before
// the first transaction that has such a record; nothing is ever filled in.
import { EngineError } from "./errors.ts"
import { fieldsOf, isRecord, type Json, type JsonRecord, nameOf, nonNull } from "./lean-schema.ts"
import type { Column, ColumnType, MirroredTable } from "./projection.ts"

/** A table as the records name it. Ids are the registry's; a record without a key names no key schema. */
export type WriterSchemas = { schemaId: number; value: JsonRecord; key: Json | null }

type WrittenType = { type: string; name?: string }

/**
 * Forms from which a column type can be read without losing or adding anything. Debezium names the meaning, Avro the
 * bytes: a long without a name is a bigint, with the name of a timestamp it is none.
 */
const readable: Record<ColumnType, readonly WrittenType[]> = {
  text: [
    { type: "string" },
    { type: "string", name: "io.debezium.data.Enum" },
    { type: "string", name: "io.debezium.data.Uuid" },
  ],
  integer: [{ type: "int" }],
  bigint: [{ type: "long" }, { type: "int" }],
  boolean: [{ type: "boolean" }],
  timestamptz: [{ type: "string", name: "io.debezium.time.ZonedTimestamp" }],
  jsonb: [{ type: "string", name: "io.debezium.data.Json" }],
}

const deployNextStep =
  "Deploy a query service whose projections fit the table: it loads a fresh generation and goes on from there. " +
  "Or bring the table back into its form and rebuild: npm run projection:rebuild. Nothing is lost meanwhile."

/** Why records of these schemas cannot be read exactly, or null when they can. */
export function findMisfit(
  table: Pick<MirroredTable, "name" | "key" | "columns">,
  schemas: WriterSchemas,
): EngineError | null {
  const written = new Map(fieldsOf(schemas.value).map((field) => [nameOf(field), field]))
  for (const column of [...table.key, ...table.columns]) {
    const misfit = columnMisfit(table.name, schemas.schemaId, column, written.get(column.name))
    if (misfit) return misfit
  }
  return keyMisfit(table, schemas)
}

/** Columns of type bigint that a schema writes as int: their values must be widened. */
export function widenedColumns(columns: readonly Column[], value: JsonRecord): string[] {
  const narrow = new Set(
    fieldsOf(value)
      .filter(({ type }) => writtenType(type ?? null).type === "int")
      .map(nameOf),
  )
  return columns.filter(({ name, type }) => type === "bigint" && narrow.has(name)).map(({ name }) => name)
}

function columnMisfit(
  table: string,
  schemaId: number,
  column: Column,
  field: JsonRecord | undefined,
): EngineError | null {
  const detail = { table, schemaId, column: column.name, expectedType: column.type }
  if (!field) {
    return incompatible(`${about(table, schemaId)}: column ${column.name} is missing`, {
      ...detail,
      writerType: "none",
    })
  }
  const written = writtenType(field.type ?? null)
  const writerType = describe(written)
  const fits = readable[column.type].some(({ type, name }) => type === written.type && name === written.name)
  if (!fits) {
    return incompatible(
      `${about(table, schemaId)}: column ${column.name} is ${writerType}, not ${column.type}`,
      {
        ...detail,
        writerType,
      },
    )
  }
  if (!replacesNull(field)) return null
  return incompatible(
    `${about(table, schemaId)}: column ${column.name} may be null and has a default, which the connector sends in place of null`,
    { ...detail, writerType: `${writerType} or null, with a default` },
    `Drop the default of ${table}.${column.name} at the source, or make it not null; then rebuild: npm run projection:rebuild.`,
  )
}

/**
 * Kafka Connect reads null in an optional field as the field's default, and the registry's converter has no setting
 * against it: https://issues.apache.org/jira/browse/KAFKA-8713. What was null can then not be told.
 */
function replacesNull(field: JsonRecord): boolean {
  return Array.isArray(field.type) && field.type.includes("null") && (field.default ?? null) !== null
}

function keyMisfit(
  { name: table, key }: Pick<MirroredTable, "name" | "key">,
  schemas: WriterSchemas,
): EngineError | null {
  const written = isRecord(schemas.key) ? fieldsOf(schemas.key).map(nameOf) : []
  const expected = key.map((column) => column.name)
  const isSame = written.length === expected.length && expected.every((name) => written.includes(name))
  if (isSame) return null
  const now = written.length === 0 ? "there is none" : `it is (${written.join(", ")})`
  return incompatible(
    `${about(table, schemas.schemaId)}: their key should be (${expected.join(", ")}), and ${now}`,
    {
      table,
      schemaId: schemas.schemaId,
      column: expected.join(", "),
      expectedType: "primary key",
      writerType: written.join(", ") || "none",
    },
  )
}

/** A delete that names no row. Under a replica identity that is not the primary key Debezium fills the key with zeros. */
export function emptyKey(table: string, schemaId: number): EngineError {
  return incompatible(
    `${about(table, schemaId)}: a delete has an empty key, so the table's replica identity is not its primary key`,
    { table, schemaId },
    `At the source: alter table ${table} replica identity default. Deletes since it was changed name no row, so rebuild: npm run projection:rebuild.`,
  )
}

/** Not a Debezium envelope at all: there is nothing to place it in history by. */
export const notAnEnvelope = (table: string, what: string): EngineError =>
  incompatible(`The stream of table ${table} does not fit the projections: ${what}`, { table })

const about = (table: string, schemaId: number): string =>
  `Records of table ${table} written with schema ${schemaId} do not fit the projections`

function incompatible(
  message: string,
  detail: Record<string, string | number>,
  nextStep: string = deployNextStep,
): EngineError {
  return new EngineError("incompatible-schema", `${message}.`, { nextStep, detail })
}

function writtenType(field: Json): WrittenType {
  const actual = nonNull(field)
  const type = isRecord(actual) ? actual.type : actual
  const name = isRecord(actual) ? actual["connect.name"] : undefined
  const written = typeof type === "string" ? type : JSON.stringify(type)
  return typeof name === "string" ? { type: written, name } : { type: written }
}

const describe = ({ type, name }: WrittenType): string => (name === undefined ? type : `${type} (${name})`)
