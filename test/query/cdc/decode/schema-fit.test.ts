// Drift, as the decoder meets it: what may change without anybody noticing, and what blocks a record at its place in
// history. The records are the real connector's; where a table changed, their schemas are rewritten the way the
// connector writes them then (measured in test/scenarios/drift.cdc.test.ts).
// One file: it is one table of schema changes and their verdicts.
import { describe, expect, test } from "vitest"
import { createDecoder } from "../../../../query/cdc/decode/decode.ts"
import { parseAvro } from "../../../../query/cdc/decode/lean-schema.ts"
import {
  bigint,
  boolean,
  type Column,
  integer,
  jsonb,
  longText,
  text,
  timestamptz,
} from "../../../../query/cdc/projection/columns.ts"
import type { SourceTable } from "../../../../query/cdc/projection/projection.ts"
import type { RawRecord } from "../../../../query/cdc/vocabulary/change.ts"
import { orderProjections } from "../../../../query/orders/projections.ts"
import { capturedRecords, capturedRegistry } from "../fixtures/envelopes.ts"

const { fetchSchema } = capturedRegistry()
const orders = tableNamed("orders")
const insert = capturedRecords("orders")[0] ?? expect.unreachable("no order was captured")

function tableNamed(name: string): SourceTable {
  return (
    orderProjections.tables.find((table) => table.name === name) ?? expect.unreachable(`no table ${name}`)
  )
}

const withColumns = (columns: readonly Column[]): SourceTable => ({ ...orders, columns })
const read = (raw: RawRecord, table: SourceTable, fetch = fetchSchema) =>
  createDecoder(fetch).decodeData(raw, table)

describe("goes on", () => {
  test("when the table has columns that nobody reads", async () => {
    const record = await read(insert, withColumns([longText("note")]))
    expect(record?.change).toEqual({
      op: "upsert",
      table: "orders",
      isNew: true,
      key: ["o1"],
      row: ["o1", expect.stringMatching(/^[0-9a-f]+$/)],
    })
  })

  test("when an integer is read as a bigint, which holds it exactly", async () => {
    const record = await read(insert, withColumns([bigint("version"), bigint("total_minor")]))
    expect(record?.change).toMatchObject({ row: ["o1", 1n, 9007199254740993n] })
  })

  const rewritten = { type: "string", "connect.version": 1 }
  test.each([
    { name: "text became an enum", type: { ...rewritten, "connect.name": "io.debezium.data.Enum" } },
    { name: "text became a uuid", type: { ...rewritten, "connect.name": "io.debezium.data.Uuid" } },
    { name: "a column lost its not null", type: ["null", "string"], fieldDefault: null },
    { name: "a column got a default", type: { type: "string", "connect.default": "x" }, fieldDefault: "x" },
  ])("when $name", async ({ type, fieldDefault }) => {
    const changed = await rewriteColumn("status", { type, default: fieldDefault })
    const record = await read(changed.raw, withColumns([text("status")]), changed.fetchSchema)
    expect(record?.change).toMatchObject({ row: ["o1", "draft"] })
  })
})

describe("blocks the record at its place", () => {
  const misfits: { name: string; column: Column; writerType: string }[] = [
    { name: "a column is missing", column: text("colour"), writerType: "none" },
    { name: "text is read as a number", column: bigint("status"), writerType: "string" },
    { name: "a bigint is read as an integer", column: integer("total_minor"), writerType: "long" },
    { name: "a bigint is read as text", column: text("total_minor"), writerType: "long" },
    {
      name: "JSON is read as text",
      column: longText("shipping_address"),
      writerType: "string (io.debezium.data.Json)",
    },
    { name: "text is read as JSON", column: jsonb("note"), writerType: "string" },
    {
      name: "a timestamp is read as text",
      column: text("created_at"),
      writerType: "string (io.debezium.time.ZonedTimestamp)",
    },
    { name: "text is read as a timestamp", column: timestamptz("status"), writerType: "string" },
    { name: "an integer is read as a boolean", column: boolean("version"), writerType: "int" },
  ]

  test.each(misfits)("when $name, naming schema, column and both types", async ({ column, writerType }) => {
    const record = await read(insert, withColumns([...orders.columns, column]))
    const fitting = await read(insert, orders)
    const schemaId = insert.value?.readInt32BE(1)
    expect(record).toEqual({
      ...fitting,
      change: expect.objectContaining({ op: "blocked", table: "orders" }),
    })
    expect(record?.change).toMatchObject({
      error: {
        code: "incompatible-schema",
        disposition: "halt",
        message: expect.stringContaining(`Records of table orders written with schema ${schemaId}`),
        nextStep: expect.stringContaining("Deploy a query service whose projections fit"),
        detail: { table: "orders", schemaId, column: column.name, writerType, expectedType: column.type },
      },
    })
  })

  test("when a timestamptz became a timestamp, whose long is microseconds", async () => {
    const { raw, fetchSchema: fetch } = await rewriteColumn(
      "created_at",
      { type: { type: "long", "connect.version": 1, "connect.name": "io.debezium.time.MicroTimestamp" } },
      1n,
    )
    for (const column of [timestamptz("created_at"), bigint("created_at")]) {
      expect((await read(raw, withColumns([column]), fetch))?.change).toMatchObject({
        error: { detail: { writerType: "long (io.debezium.time.MicroTimestamp)" } },
      })
    }
  })

  test("when a column may be null and has a default: the connector's null would read as the default", async () => {
    const { raw, fetchSchema: fetch } = await rewriteColumn("note", {
      type: [{ type: "string", "connect.default": "none" }, "null"],
      default: "none",
    })
    expect((await read(raw, withColumns([longText("note")]), fetch))?.change).toMatchObject({
      op: "blocked",
      error: {
        code: "incompatible-schema",
        nextStep: expect.stringContaining("Drop the default of orders.note"),
      },
    })
    expect((await read(raw, withColumns([text("status")]), fetch))?.change).toMatchObject({ op: "upsert" })
  })

  test.each([
    { name: "the primary key has fewer columns", key: [text("id"), text("status")], says: "it is (id)" },
    { name: "the primary key has others", key: [text("status")], says: "it is (id)" },
  ])("when $name than the projection", async ({ key, says }) => {
    expect((await read(insert, { ...orders, key }))?.change).toMatchObject({
      error: { code: "incompatible-schema", message: expect.stringContaining(says) },
    })
  })

  test("when the table has no primary key any more", async () => {
    expect((await read({ ...insert, key: null }, orders))?.change).toMatchObject({
      error: {
        code: "incompatible-schema",
        message: expect.stringContaining("their key should be (id), and there is none"),
      },
    })
  })

  test("when a delete names no row, as under a replica identity that is not the primary key", async () => {
    const deleted = await rewriteRecord({ op: "d", after: null, before: rowWith({ id: "" }) })
    expect((await read(deleted, orders))?.change).toMatchObject({
      error: {
        code: "incompatible-schema",
        nextStep: expect.stringContaining("alter table orders replica identity default"),
      },
    })
  })

  test("when the table was truncated", async () => {
    const truncated = await rewriteRecord({ op: "t", before: null, after: null })
    expect((await read({ ...truncated, key: null }, orders))?.change).toMatchObject({
      op: "blocked",
      error: { code: "truncate", disposition: "halt" },
    })
  })
})

describe("halts, for there is nothing to place the records in history by", () => {
  const foreign: { name: string; change: (schema: Schema) => void }[] = [
    { name: "has no transaction", change: (schema) => drop(schema, "transaction") },
    { name: "has no operation", change: (schema) => drop(schema, "op") },
    { name: "has no old values", change: (schema) => drop(schema, "before") },
    { name: "numbers its operations", change: (schema) => retype(schema, "op", "int") },
    { name: "may lack its operation", change: (schema) => retype(schema, "op", ["null", "string"]) },
    { name: "has an LSN as text", change: (schema) => retype(partOf(schema, "source"), "lsn", "string") },
    { name: "has no sequence", change: (schema) => drop(partOf(schema, "source"), "sequence") },
    {
      name: "numbers its transactions",
      change: (schema) => retype(partOf(schema, "transaction"), "id", "long"),
    },
    { name: "has new values of another kind", change: (schema) => retype(schema, "after", "string") },
  ]

  test.each(foreign)("when a schema has an envelope's name and $name", async ({ change }) => {
    const schema: Schema = JSON.parse(await fetchSchema(insert.value?.readInt32BE(1) ?? 0))
    change(schema)
    const isKey = (id: number) => id === insert.key?.readInt32BE(1)
    const fetch = async (id: number) => (isKey(id) ? await fetchSchema(id) : JSON.stringify(schema))
    await expect(read(insert, orders, fetch)).rejects.toMatchObject({
      code: "incompatible-schema",
      disposition: "halt",
      message: expect.stringContaining("The stream of table orders does not fit the projections"),
    })
  })
})

type Schema = { fields: { name: string; type: unknown }[] }

function drop(schema: Schema, name: string): void {
  schema.fields = schema.fields.filter((field) => field.name !== name)
}

function retype(schema: Schema, name: string, type: unknown): void {
  schema.fields = schema.fields.map((field) => (field.name === name ? { name, type } : field))
}

/** The record schema of a field that may be null or not. */
function partOf(schema: Schema, name: string): Schema {
  const type = schema.fields.find((field) => field.name === name)?.type
  return [type].flat().find(isRecordSchema) ?? expect.unreachable(`no record ${name}`)
}

const isRecordSchema = (type: unknown): type is Schema =>
  typeof type === "object" && type !== null && "fields" in type

type Fields = { name: string; type: unknown; default?: unknown }[]

/** The insert as it would be if the column were declared like this, and the registry that knows its schema. */
async function rewriteColumn(name: string, field: { type: unknown; default?: unknown }, value?: unknown) {
  const id = 987_654
  const schema = JSON.parse(await fetchSchema(insert.value?.readInt32BE(1) ?? 0))
  const before: { fields: Fields } = schema.fields
    .find((part: { name: string }) => part.name === "before")
    .type.find((branch: unknown) => branch !== "null")
  before.fields = before.fields.map((one) =>
    one.name === name
      ? { name, type: field.type, ...(field.default === undefined ? {} : { default: field.default }) }
      : one,
  )
  const envelope = await readInsert()
  const after = value === undefined ? envelope.after : { ...envelope.after, [name]: value }
  const head = Buffer.alloc(5)
  head.writeInt32BE(id, 1)
  const raw = { ...insert, value: Buffer.concat([head, parseAvro(schema).toBuffer({ ...envelope, after })]) }
  return {
    raw,
    fetchSchema: async (asked: number) => (asked === id ? JSON.stringify(schema) : await fetchSchema(asked)),
  }
}

/** The insert with other members, written by the same schema. */
async function rewriteRecord(members: Record<string, unknown>): Promise<RawRecord> {
  const bytes = insert.value ?? Buffer.alloc(0)
  const writer = parseAvro(JSON.parse(await fetchSchema(bytes.readInt32BE(1))))
  const value = Buffer.concat([
    bytes.subarray(0, 5),
    writer.toBuffer({ ...(await readInsert()), ...members }),
  ])
  return { ...insert, value }
}

async function readInsert(): Promise<{ after: object }> {
  const bytes = insert.value ?? Buffer.alloc(0)
  return parseAvro(JSON.parse(await fetchSchema(bytes.readInt32BE(1)))).fromBuffer(bytes.subarray(5))
}

const { after: insertedRow } = await readInsert()
const rowWith = (columns: object): object => ({ ...insertedRow, ...columns })
