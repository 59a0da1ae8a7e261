// Writing mirrored rows: every value arrives exactly, no row ever goes back, a deleted one keeps nothing but its key
// and is not revived, and values that were not sent are those stored before.
// One file: the three are the whole contract of one statement.
import fc from "fast-check"
import { beforeEach, describe, expect, test } from "vitest"
import {
  bigint,
  boolean,
  integer,
  jsonb,
  longText,
  text,
  timestamptz,
} from "../../../../query/cdc/projection/columns.ts"
import type { MirroredTable, Projections } from "../../../../query/cdc/projection/projection.ts"
import type { PendingRow } from "../../../../query/cdc/rows/batch.ts"
import { upsertRows } from "../../../../query/cdc/rows/mirror.ts"
import { unavailable, type Value } from "../../../../query/cdc/vocabulary/change.ts"
import { propertyRuns } from "../../../support/properties.ts"
import { givenGeneration, remove, transaction, upsert, type Values } from "../given/generation.ts"
import { lsn } from "../given/records.ts"

const things: MirroredTable = {
  name: "things",
  key: [text("id"), integer("part")],
  columns: [
    longText("note"),
    integer("n"),
    bigint("amount"),
    boolean("active"),
    timestamptz("at"),
    jsonb("data"),
  ],
  indexes: [],
}
const people: MirroredTable = { name: "people", key: [text("id")], columns: [longText("name")], indexes: [] }
const projections: Projections = {
  version: "test",
  tables: [things, people],
  derived: [],
  recomputed: [],
  cache: { ofRow: () => [], ofGroup: () => [], found: {} },
  heartbeatTable: "cdc_heartbeat",
}

const generation = givenGeneration("mirror", projections)
beforeEach(() => generation.empty())

/** The stored rows as text, by key. */
async function stored(
  table: MirroredTable,
): Promise<Record<string, Record<string, string | boolean | null>>> {
  const columns = [...table.key, ...table.columns].map(({ name }) => `${name}::text`).join(", ")
  const { rows } = await generation.admin.query(
    `select ${columns}, deleted from ${generation.schema}.${table.name} order by 1`,
  )
  return Object.fromEntries(rows.map((row) => [row.id, row]))
}

describe("values arrive exactly", () => {
  const cases: { column: string; values: readonly [value: Value, shown: string | null][] }[] = [
    {
      column: "note",
      values: [
        ["", ""],
        ["NULL", "NULL"],
        ["null", "null"],
        [`it's "quoted" \\ and \\\\ {a,b} "`, `it's "quoted" \\ and \\\\ {a,b} "`],
        ["line\nfeed\ttab\r\u0001", "line\nfeed\ttab\r\u0001"],
        ["Zoë 李 🙂 \u202e", "Zoë 李 🙂 \u202e"],
        [null, null],
      ],
    },
    {
      column: "n",
      values: [
        [0, "0"],
        [-2147483648, "-2147483648"],
        [2147483647, "2147483647"],
        [null, null],
      ],
    },
    {
      column: "amount",
      values: [
        [9007199254740992n, "9007199254740992"],
        [9007199254740993n, "9007199254740993"],
        [-9223372036854775808n, "-9223372036854775808"],
        [9223372036854775807n, "9223372036854775807"],
        [null, null],
      ],
    },
    {
      column: "active",
      values: [
        [true, "true"],
        [false, "false"],
        [null, null],
      ],
    },
    {
      column: "at",
      values: [
        ["2024-02-29T23:59:59.999999Z", "2024-02-29 23:59:59.999999+00"],
        ["2024-03-31T01:00:00.000001Z", "2024-03-31 01:00:00.000001+00"],
        ["0001-01-01T00:00:00Z", "0001-01-01 00:00:00+00"],
        [null, null],
      ],
    },
    {
      column: "data",
      values: [
        [
          `{"a": "it's \\"\\\\\\" 李", "n": 9007199254740993.10}`,
          `{"a": "it's \\"\\\\\\" 李", "n": 9007199254740993.10}`,
        ],
        ["[1, null, true]", "[1, null, true]"],
        ["null", "null"],
        ['""', '""'],
        [null, null],
      ],
    },
  ]

  test.each(cases)("$column", async ({ column, values }) => {
    await generation.apply([
      transaction(
        1_000,
        values.map(([value], index) =>
          upsert(things, index + 1, { id: `k${index}`, part: 1, [column]: value }),
        ),
      ),
    ])
    const client = await generation.admin.connect()
    await client.query("set timezone to 'UTC'")
    const { rows: shown } = await client.query(
      `select id, ${column}::text as shown from ${generation.schema}.things`,
    )
    client.release()
    expect(new Map(shown.map((row) => [row.id, row.shown]))).toEqual(
      new Map(values.map(([, text], index) => [`k${index}`, text])),
    )
  })

  test("any text, as a key and as a value", async () => {
    // Any but the NUL, which no Postgres text holds.
    const anyText = fc
      .string({ unit: "binary", maxLength: 40 })
      .map((value) => value.replaceAll("\u0000", ""))
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(anyText, { minLength: 1, maxLength: 50 }), async (texts) => {
        await generation.empty()
        const records = texts.map((value, index) => upsert(people, index + 1, { id: value, name: value }))
        await generation.apply([transaction(1_000, records)])
        const rows = await stored(people)
        expect(new Set(Object.values(rows).map((row) => row.name))).toEqual(new Set(texts))
        for (const row of Object.values(rows)) expect(row.name).toBe(row.id)
      }),
      propertyRuns("texts", 20),
    )
  })
})

describe("the guard", () => {
  type Version = { epoch: number; commitLsn: number; at: number; deleted: boolean }

  const pending = (id: string, { commitLsn, at, deleted }: Version): PendingRow => ({
    key: [id],
    values: deleted ? null : [id, `${commitLsn}/${at}`],
    commitLsn: lsn(commitLsn),
    lsn: lsn(at),
    xid: "1",
    origin: { topic: "t", partition: 0, offset: BigInt(at) },
  })

  const write = (id: string, version: Version): Promise<number> =>
    generation.db
      .transaction()
      .execute((trx) => upsertRows(trx, generation.schema, people, version.epoch, [pending(id, version)]))

  const first = { epoch: 1, commitLsn: 100, at: 90, deleted: false }

  test.each([
    { name: "a newer commit", than: { commitLsn: 101, at: 1 }, written: 1 },
    { name: "a later change of the same commit", than: { at: 91 }, written: 1 },
    { name: "a newer epoch, though its LSNs are lower", than: { epoch: 2, commitLsn: 1, at: 1 }, written: 1 },
    { name: "the same change again", than: {}, written: 0 },
    { name: "an earlier change of the same commit", than: { at: 89 }, written: 0 },
    {
      name: "an older commit, though the change's LSN is higher",
      than: { commitLsn: 99, at: 95 },
      written: 0,
    },
    { name: "an older epoch", than: { epoch: 0, commitLsn: 900, at: 900 }, written: 0 },
  ])("$name: $written rows are written", async ({ than, written }) => {
    await write("a", first)
    const before = await generation.admin.query(`select * from ${generation.schema}.people`)
    expect(await write("a", { ...first, ...than })).toBe(written)
    const after = await generation.admin.query(`select * from ${generation.schema}.people`)
    if (written === 0) expect(after.rows).toEqual(before.rows)
    else expect(after.rows).not.toEqual(before.rows)
  })

  test("a deleted row keeps its key and guard and nothing personal, and nothing older revives it", async () => {
    await write("a", first)
    await write("a", { ...first, commitLsn: 200, deleted: true })
    const gone = { a: { id: "a", name: null, deleted: true } }
    expect(await stored(people)).toEqual(gone)
    for (const late of [first, { ...first, commitLsn: 199 }, { ...first, commitLsn: 200, at: 80 }]) {
      expect(await write("a", late)).toBe(0)
    }
    expect(await stored(people)).toEqual(gone)
    await write("a", { ...first, commitLsn: 201 })
    expect(await stored(people)).toEqual({ a: { id: "a", name: "201/90", deleted: false } })
  })

  test("a delete of a row that was never seen is kept, so that its insert cannot come late", async () => {
    await write("a", { ...first, commitLsn: 200, deleted: true })
    expect(await write("a", first)).toBe(0)
    expect(await stored(people)).toEqual({ a: { id: "a", name: null, deleted: true } })
  })

  test("versions in any order, with any repeats, leave the newest", async () => {
    const version = fc.record({
      epoch: fc.integer({ min: 1, max: 2 }),
      commitLsn: fc.integer({ min: 1, max: 4 }),
      at: fc.integer({ min: 1, max: 3 }),
    })
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(version, { minLength: 1, maxLength: 12 }), async (versions) => {
        const id = `k${run++}`
        const value = ({ epoch, commitLsn, at }: (typeof versions)[number]) =>
          epoch * 100 + commitLsn * 10 + at
        for (const one of versions) {
          await write(id, { ...one, deleted: value(one) % 3 === 0 })
        }
        const newest = versions.reduce((a, b) => (value(b) > value(a) ? b : a))
        const row = (await stored(people))[id]
        expect(row?.deleted).toBe(value(newest) % 3 === 0)
        expect(row?.name).toBe(row?.deleted ? null : `${newest.commitLsn}/${newest.at}`)
      }),
      propertyRuns("row versions", 40),
    )
  })
})

describe("a value that was not sent", () => {
  const full = { note: `a "long" note`, n: 1, amount: 9007199254740993n, data: '{"a": [1, "x"]}' }
  const unsent: Values = { note: unavailable, data: unavailable }

  test("is the stored one", async () => {
    await generation.apply([transaction(100, [upsert(things, 1, { id: "a", part: 1, ...full })])])
    await generation.apply([transaction(200, [upsert(things, 101, { id: "a", part: 1, n: 2, ...unsent })])])
    expect(await stored(things)).toMatchObject({
      a: { note: full.note, data: full.data, n: "2", amount: null },
    })
  })

  test("is null where null is stored", async () => {
    await generation.apply([transaction(100, [upsert(things, 1, { id: "a", part: 1 })])])
    await generation.apply([transaction(200, [upsert(things, 101, { id: "a", part: 1, n: 2, ...unsent })])])
    expect(await stored(things)).toMatchObject({ a: { note: null, data: null, n: "2" } })
  })

  test("of a row that changed its key is the old key's, in one batch or several", async () => {
    const moves = [
      transaction(200, [upsert(things, 101, { id: "b", part: 7, ...unsent }), remove(things, 101, "a", 1)]),
      transaction(300, [upsert(things, 201, { id: "c", part: 8, ...unsent }), remove(things, 201, "b", 7)]),
    ]
    for (const batches of [[moves], moves.map((move) => [move])]) {
      await generation.empty()
      await generation.apply([transaction(100, [upsert(things, 1, { id: "a", part: 1, ...full })])])
      for (const batch of batches) await generation.apply(batch)
      expect(await stored(things)).toMatchObject({
        a: { note: null, deleted: true },
        b: { note: null, deleted: true },
        c: { part: "8", note: full.note, data: full.data, deleted: false },
      })
    }
  })

  test("of a row that is not stored, or deleted, cannot be applied: the read model would be wrong", async () => {
    const update = transaction(200, [upsert(things, 101, { id: "a", part: 1, ...unsent })])
    await expect(generation.apply([update])).rejects.toMatchObject({
      code: "missing-stored-value",
      disposition: "dead-letter",
      detail: { table: "things" },
    })
    await generation.apply([transaction(100, [remove(things, 1, "a", 1)])])
    await expect(generation.apply([update])).rejects.toMatchObject({ code: "missing-stored-value" })
    expect(generation.position()).toBe(100n)
  })
})
