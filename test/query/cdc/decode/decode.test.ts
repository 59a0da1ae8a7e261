// From the bytes the real connector wrote (fixtures/) to row changes and commit-log entries: every value exact,
// and nothing that cannot be read or does not fit is passed over.
// One file: it is one table of captured records and their readings.
import { describe, expect, test } from "vitest"
import { createDecoder } from "../../../../query/cdc/decode/decode.ts"
import { parseAvro } from "../../../../query/cdc/decode/lean-schema.ts"
import { heartbeatTable } from "../../../../query/cdc/projection/heartbeat.ts"
import type { SourceTable } from "../../../../query/cdc/projection/projection.ts"
import { type RawRecord, unavailable, type Value } from "../../../../query/cdc/vocabulary/change.ts"
import { orderProjections } from "../../../../query/orders/projections.ts"
import { capturedRecords, capturedRegistry } from "../fixtures/envelopes.ts"
import { failureOf } from "./given/failure.ts"

const { fetchSchema, asked } = capturedRegistry()
const decoder = createDecoder(fetchSchema)

const tableNamed = (name: string): SourceTable =>
  orderProjections.tables.find((table) => table.name === name) ?? expect.unreachable(`no table ${name}`)

async function decodeAll(name: string, table: SourceTable = tableNamed(name)) {
  const records = []
  for (const raw of capturedRecords(name)) {
    const record = await decoder.decodeData(raw, table)
    if (record) records.push(record)
  }
  // Partitions are read side by side; the order they were made in is that of their LSNs.
  return records.sort((a, b) => Number(a.lsn - b.lsn) || a.change.op.localeCompare(b.change.op))
}

/** The row of an upsert by column name. */
function named(table: SourceTable, row: readonly unknown[]): Record<string, unknown> {
  return Object.fromEntries([...table.key, ...table.columns].map(({ name }, index) => [name, row[index]]))
}

/** Of the orders this is the insert of `o1`, of the commit log the first BEGIN. */
const first = (name: string): RawRecord =>
  capturedRecords(name)[0] ?? expect.unreachable(`no record of ${name} was captured`)

describe("rows", () => {
  const orders = tableNamed("orders")

  test("an insert has every value exactly: 2^53 + 1, microseconds, JSON and text as stored, nulls", async () => {
    const [insert] = await decodeAll("orders")
    expect(insert?.change).toMatchObject({ op: "upsert", table: "orders", key: ["o1"] })
    const row = insert?.change.op === "upsert" ? named(orders, insert.change.row) : {}
    expect(row).toMatchObject({
      id: "o1",
      status: "draft",
      subtotal_minor: 0n,
      total_minor: 9007199254740993n,
      shipping_address: '{"lines": [1, null], "street": "Straße 1"}',
      note: expect.stringMatching(/^[0-9a-f]{2560}$/),
      cancel_reason: null,
      version: 1,
      created_at: "2024-02-29T23:59:59.999999Z",
      confirmed_at: null,
    })
  })

  test("an update that leaves a long text alone says so, and nothing else", async () => {
    const [, update] = await decodeAll("orders")
    expect(update?.change).toMatchObject({ isNew: false })
    const row = update?.change.op === "upsert" ? named(orders, update.change.row) : {}
    expect(row).toMatchObject({
      status: "confirmed",
      note: unavailable,
      shipping_address: '{"lines": [1, null], "street": "Straße 1"}',
      total_minor: 9007199254740993n,
      confirmed_at: "2024-03-01T00:00:00.000001Z",
    })
  })

  test("a changed primary key is a delete and an insert of one LSN, the long text left with the old row", async () => {
    const [, , removed, made] = await decodeAll("orders")
    expect(removed?.change).toEqual({ op: "delete", table: "orders", key: ["o1"] })
    expect(made?.change).toMatchObject({ op: "upsert", key: ["o2"], isNew: true })
    expect(made?.change.op === "upsert" && named(orders, made.change.row).note).toBe(unavailable)
    expect(made?.lsn).toBe(removed?.lsn)
    expect(made?.xid).toBe(removed?.xid)
    expect(made?.identity).not.toBe(removed?.identity)
  })

  test("a delete has the key and nothing else", async () => {
    const deleted = (await decodeAll("order_items")).filter(({ change }) => change.op === "delete")
    expect(deleted.map(({ change }) => change)).toEqual([
      { op: "delete", table: "order_items", key: ["o3", 3] },
    ])
  })

  test("rows of one COPY share an LSN and differ in identity", async () => {
    const copied = (await decodeAll("order_items")).slice(-2)
    expect(new Set(copied.map(({ lsn }) => lsn)).size).toBe(1)
    expect(new Set(copied.map(({ identity }) => identity)).size).toBe(2)
  })

  test("each names its transaction, its predecessor and the run that sent it", async () => {
    const all = [...(await decodeAll("orders")), ...(await decodeAll("order_items"))]
    const entries = await Promise.all(capturedRecords("transaction").map((raw) => decoder.decodeEntry(raw)))
    const ends = entries.flatMap((entry) => (entry.status === "END" ? [entry] : []))
    for (const record of all) {
      const at = ends.findIndex(({ xid }) => xid === record.xid)
      expect(record.previousCommitLsn).toBe(ends[at - 1]?.commitLsn)
      expect(record.lsn < (ends[at]?.commitLsn ?? 0n)).toBe(true)
      expect(record.runId).toMatch(/^[0-9a-f-]{36}$/)
      expect(record.bytes).toBeGreaterThan(100)
    }
  })

  test("rows of the slot's first transaction, and no other, have no predecessor", async () => {
    const beats = await decodeAll("cdc_heartbeat", heartbeatTable("cdc_heartbeat"))
    const all = [...beats, ...(await decodeAll("customers")), ...(await decodeAll("orders"))]
    const entry = await decoder.decodeEntry(first("transaction"))
    for (const { xid, previousCommitLsn } of all) expect(previousCommitLsn === null).toBe(xid === entry.xid)
    expect(all.some(({ previousCommitLsn }) => previousCommitLsn === null)).toBe(true)
  })

  test("a heartbeat carries the source's clock and identity", async () => {
    const [beat] = await decodeAll("cdc_heartbeat", heartbeatTable("cdc_heartbeat"))
    expect(beat?.change).toMatchObject({
      key: [1],
      row: [1, expect.stringMatching(/\.\d{6}Z$/), expect.stringMatching(/^\d+$/), 1],
    })
  })

  test("text with quotes, backslashes and other scripts is unchanged", async () => {
    const [customer] = await decodeAll("customers")
    expect(customer?.change).toMatchObject({
      row: expect.arrayContaining([`Zoë 'Z' "Quote" \\ 李`]),
    })
  })

  test("a schema is asked for once", async () => {
    await decodeAll("orders")
    const before = asked.length
    await decodeAll("orders")
    expect(asked.length).toBe(before)
  })
})

test("the commit log: a BEGIN, and an END with its counts by table", async () => {
  const entries = await Promise.all(capturedRecords("transaction").map((raw) => decoder.decodeEntry(raw)))
  const at = entries.findIndex((entry) => entry.status === "END" && entry.counts.has("public.order_items"))
  expect(entries.slice(at - 1, at + 1)).toEqual([
    { status: "BEGIN", offset: expect.any(BigInt), xid: expect.stringMatching(/^\d+$/) },
    {
      status: "END",
      offset: expect.any(BigInt),
      xid: entries[at]?.xid,
      commitLsn: expect.any(BigInt),
      counts: new Map([
        ["public.orders", 1],
        ["public.order_items", 3],
      ]),
    },
  ])
  const begins = entries.filter(({ status }) => status === "BEGIN").length
  expect(begins).toBe(entries.length / 2)
})

describe("a record that cannot be read is bad and names its origin", () => {
  const raw = first("orders")
  const origin = `ecommerce.public.orders[${raw.partition}]@${raw.offset}`
  const value = raw.value ?? Buffer.alloc(0)
  const unreadable: { name: string; value: Buffer; says: RegExp }[] = [
    { name: "an empty value", value: Buffer.alloc(0), says: /wire format/ },
    {
      name: "another magic byte",
      value: Buffer.concat([Buffer.of(1), value.subarray(1)]),
      says: /wire format/,
    },
    { name: "JSON", value: Buffer.from('{"op":"c"}'), says: /wire format/ },
    { name: "a frame cut in its head", value: value.subarray(0, 4), says: /wire format/ },
    { name: "a frame without a payload", value: value.subarray(0, 5), says: /wire format/ },
    { name: "a frame cut in a value", value: value.subarray(0, 100), says: /cannot be read/ },
    { name: "a frame cut before its operation", value: value.subarray(0, -30), says: /cannot be read/ },
    {
      name: "other bytes",
      value: Buffer.concat([value.subarray(0, 5), Buffer.alloc(300, 0xff)]),
      says: /cannot/,
    },
  ]

  test.each(unreadable)("$name", async ({ value: bytes, says }) => {
    const failure = await failureOf(decoder.decodeData({ ...raw, value: bytes }, tableNamed("orders")))
    expect(failure).toMatchObject({
      code: "undecodable-record",
      disposition: "dead-letter",
      detail: { topic: "ecommerce.public.orders", partition: raw.partition, offset: String(raw.offset) },
    })
    expect(failure.message).toMatch(says)
    expect(failure.message).toContain(origin)
  })

  test("the schema of another table", async () => {
    const failure = await failureOf(
      decoder.decodeData({ ...raw, value: first("customers").value }, tableNamed("orders")),
    )
    expect(failure).toMatchObject({ code: "undecodable-record", disposition: "dead-letter" })
    expect(failure.message).toMatch(/customers/)
  })

  test("in the commit log it halts: what it would have said is not known", async () => {
    const marker = first("transaction")
    for (const bytes of [null, Buffer.from("{}"), marker.value?.subarray(0, 8) ?? null, raw.value]) {
      const failure = await failureOf(decoder.decodeEntry({ ...marker, value: bytes }))
      expect(failure).toMatchObject({
        code: "undecodable-commit-log",
        disposition: "halt",
        nextStep: expect.stringContaining("rebuild"),
        detail: { topic: "ecommerce.transaction" },
      })
    }
  })

  test.each([
    { name: "counts rows as text", change: (text: string) => text.replaceAll('"long"', '"string"') },
    { name: "has no status", change: (text: string) => text.replace('"status"', '"state"') },
    { name: "has no counts", change: (text: string) => text.replace('"data_collections"', '"collections"') },
    { name: "is not Avro's", change: () => 'syntax = "proto3"; message Marker {}' },
  ])("in the commit log it halts, too, when its schema $name", async ({ change }) => {
    const marker = createDecoder(async (id) => change(await fetchSchema(id)))
    expect(await failureOf(marker.decodeEntry(first("transaction")))).toMatchObject({
      code: "undecodable-commit-log",
      disposition: "halt",
    })
  })

  test("a schema of another format than Avro's", async () => {
    const decoding = createDecoder(async () => 'syntax = "proto3"; message Order {}')
    expect(await failureOf(decoding.decodeData(raw, tableNamed("orders")))).toMatchObject({
      code: "undecodable-record",
      disposition: "dead-letter",
    })
  })

  test.each([
    { name: "an unknown operation", change: { op: "m" } },
    { name: "no transaction", change: { transaction: null } },
    { name: "a row without its new values", change: { after: null } },
    { name: "a delete without its key", change: { op: "d", before: null } },
  ])("$name", async ({ change }) => {
    const failure = await failureOf(decoder.decodeData(await rewrite(raw, change), tableNamed("orders")))
    expect(failure).toMatchObject({ code: "undecodable-record", disposition: "dead-letter" })
  })
})

test("a tombstone is no change: the delete before it was one", async () => {
  expect(await decoder.decodeData({ ...first("orders"), value: null }, tableNamed("orders"))).toBeNull()
})

test("the key of a record whose value cannot be read", async () => {
  const schema = {
    type: "record",
    name: "Key",
    fields: [
      { name: "order_id", type: "string" },
      { name: "line", type: "int" },
    ],
  }
  const keys = createDecoder(async () => JSON.stringify(schema))
  const payload = parseAvro(schema).toBuffer({ order_id: "order-1", line: 7 })
  const items = { ...first("order_items"), value: Buffer.alloc(0) }
  const key = Buffer.concat([Buffer.of(0, 0, 0, 0, 9), payload])
  expect(await keys.decodeKey({ ...items, key }, tableNamed("order_items"))).toEqual(["order-1", 7])
  for (const bytes of [null, Buffer.alloc(0), Buffer.from("order-1"), key.subarray(0, 8)]) {
    expect(await keys.decodeKey({ ...items, key: bytes }, tableNamed("order_items"))).toBeNull()
  }
})

test("a snapshot read is no change: it cannot be placed in history", async () => {
  const read = await rewrite(first("orders"), { op: "r", transaction: null })
  expect(await decoder.decodeData(read, tableNamed("orders"))).toBeNull()
})

/** The same record, written by the same schema, with other members. */
async function rewrite(raw: RawRecord, change: Record<string, Value>): Promise<RawRecord> {
  const value = raw.value ?? Buffer.alloc(0)
  const writer = parseAvro(JSON.parse(await fetchSchema(value.readInt32BE(1))))
  const envelope: object = writer.fromBuffer(value.subarray(5))
  return { ...raw, value: Buffer.concat([value.subarray(0, 5), writer.toBuffer({ ...envelope, ...change })]) }
}
