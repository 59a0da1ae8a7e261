// Part of step 2 (decode): do the records of a schema give every value that the projections read, exactly? Columns
// that nobody reads may come and go. A column that is read must be there, in a form that its type holds exactly, and
// the records' key must be the table's key. What does not fit is told once per schema and stops the projector before
// the first transaction that has such a record; nothing is ever filled in.
import { columnForms, type WrittenForm } from "../projection/column-forms.ts"
import type { Column } from "../projection/columns.ts"
import type { SourceTable } from "../projection/projection.ts"
import { EngineError } from "../vocabulary/errors.ts"
import { fieldsOf, isRecord, type Json, type JsonRecord, nameOf, nonNull } from "./lean-schema.ts"

/** A table as the records name it. Ids are the registry's; a record without a key names no key schema. */
export type WriterSchemas = { schemaId: number; value: JsonRecord; key: Json | null }

const deployNextStep =
  "Deploy a query service whose projections fit the table: it loads a fresh generation and goes on from there. " +
  "Or bring the table back into its form and rebuild: npx lockstep projection rebuild. Nothing is lost meanwhile."

/** Why records of these schemas cannot be read exactly, or null when they can. */
export function findMisfit(table: SourceTable, schemas: WriterSchemas): EngineError | null {
  const written = new Map(fieldsOf(schemas.value).map((field) => [nameOf(field), field]))
  for (const column of [...table.key, ...table.columns]) {
    const misfit = columnMisfit(table.name, schemas.schemaId, column, written.get(column.name))
    if (misfit) return misfit
  }
  return keyMisfit(table, schemas)
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
  const written = writtenForm(field.type ?? null)
  const writerType = describe(written)
  if (!columnForms[column.type].written.some((form) => isForm(written, form))) {
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
    `Drop the default of ${table}.${column.name} at the source, or make it not null; then rebuild: npx lockstep projection rebuild.`,
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
  { name: table, key }: Pick<SourceTable, "name" | "key">,
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
    `At the source: alter table ${table} replica identity default. Deletes since it was changed name no row, so rebuild: npx lockstep projection rebuild.`,
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

function writtenForm(field: Json): WrittenForm {
  const actual = nonNull(field)
  if (!isRecord(actual)) return { type: typeof actual === "string" ? actual : JSON.stringify(actual) }
  const form = {
    ...writtenForm(actual.type ?? null),
    ...(typeof actual["connect.name"] === "string" && { name: actual["connect.name"] }),
    ...(typeof actual["connect.type"] === "string" && { connectType: actual["connect.type"] }),
  }
  return actual.items === undefined ? form : { ...form, items: writtenForm(actual.items) }
}

/** A smallint may be read as an integer, so the type that Connect had matters only where the form names one. */
function isForm(written: WrittenForm, form: WrittenForm): boolean {
  return (
    written.type === form.type &&
    written.name === form.name &&
    (form.connectType === undefined || written.connectType === form.connectType) &&
    (form.items === undefined || (written.items !== undefined && isForm(written.items, form.items)))
  )
}

function describe({ type, name, items }: WrittenForm): string {
  const described = name === undefined ? type : `${type} (${name})`
  return items === undefined ? described : `${described} of ${describe(items)}`
}
