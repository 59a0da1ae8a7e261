// SCENARIOS row 26: money, numbers and times at the edge of what their types hold, through the real connector. What
// arrives is exactly what was stored; what the connector cannot send exactly is refused by name, never stored.
import { describe, expect, test } from "vitest"
import { createDecoder } from "../../query/cdc/decode/decode.ts"
import {
  type Column,
  integer,
  integerArray,
  longText,
  textArray,
  timestamp,
} from "../../query/cdc/projection/columns.ts"
import { givenSampleDomain } from "./given/sample-domain.ts"

const { domain, topics, differences } = givenSampleDomain("extremes")

/** Values by column, as SQL literals; each is stored in a row of its own. */
const extremes: Record<string, readonly string[]> = {
  label: [
    "''",
    "'NULL'",
    "'null'",
    `'it''s "q" \\ {a,b}'`,
    "E'line\\nfeed\\ttab\\r\\u0001'",
    "'Zoë 李 🙂 \u202e'",
  ],
  code: ["'ab'", "''"],
  mood: ["'sad'"],
  ref: ["'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "'00000000-0000-0000-0000-000000000000'"],
  raw: [`'{"b":  1, "a": 1.10, "a": 2}'`, "'null'", `'"\\u0000"'`],
  facts: [`'{"n": 9007199254740993.10, "e": 1e400}'`, "'null'", "'[]'", `'"\\u00e9 \\ud83d\\ude42"'`],
  small: ["-32768", "32767"],
  n: ["-2147483648", "2147483647"],
  big: ["-9223372036854775808", "9223372036854775807", "9007199254740992", "9007199254740993"],
  amount: [
    "0.10",
    "1000000000000000.01",
    "100000000000000001",
    "1e100",
    "1e-100",
    "-0.000",
    "'NaN'",
    "'Infinity'",
    "'-Infinity'",
    "1234567890123456789.000100",
  ],
  price: ["0.10", "-9999999999.99", "'NaN'"],
  factor: [
    "0.1",
    "-0.0::real * -1 * -1",
    "'-0'",
    "3.4028235e38",
    "1e-45",
    "16777217",
    "'NaN'",
    "'Infinity'",
    "'-Infinity'",
  ],
  ratio: [
    "0.1",
    "'-0'",
    "1.7976931348623157e308",
    "5e-324",
    "9007199254740993",
    "'NaN'",
    "'Infinity'",
    "'-Infinity'",
  ],
  active: ["true", "false"],
  born: [
    "'0001-01-01'",
    "'0001-12-31 BC'",
    "'0005-02-29 BC'",
    "'4714-11-24 BC'",
    "'5874897-12-31'",
    "'1582-10-10'",
    "'2000-02-29'",
    "'1900-03-01'",
    "'infinity'",
    "'-infinity'",
  ],
  opens: ["'00:00'", "'24:00'", "'23:59:59.999999'", "'00:00:00.000001'"],
  noted: [
    "'0001-01-01 00:00:00'",
    "'0001-12-31 23:59:59.999999 BC'",
    "'4714-11-24 00:00:00 BC'",
    "'1969-12-31 23:59:59.999999'",
    "'2024-02-29 23:59:59.000001'",
    "'294246-12-31 23:59:59.999999'",
  ],
  seen: [
    "'0001-01-01 00:00:00.000001+00'",
    "'0001-12-31 23:59:59.999999+00 BC'",
    "'4714-11-24 00:00:00+00 BC'",
    "'1969-12-31 23:59:59.999999+00'",
    "'2024-03-31 01:00:00.000001+00'",
    "'10000-01-01 00:00:00+00'",
    "'294276-12-31 23:59:59.999999+00'",
    "'infinity'",
    "'-infinity'",
  ],
  photo: ["''", "'\\x00'", "'\\x00ff5c27'", "decode(repeat('00', 5000), 'hex')"],
  tags: [
    `array['a', null, 'NULL', '', '"q"', 'b,c', '{}', E'back\\\\slash', 'x y']`,
    "array[]::text[]",
    "array[null]::text[]",
  ],
  counts: ["array[1, null, -2147483648, 2147483647]", "array[]::integer[]", "array[0]"],
  totals: [
    "array[9007199254740993, 9007199254740992, null]",
    "array[-9223372036854775808, 9223372036854775807]",
  ],
}

describe("values arrive exactly", () => {
  test("as rows of a stream, as updates of rows, and as rows of a base load", async () => {
    let id = 0
    const statements = Object.entries(extremes).flatMap(([column, values]) =>
      values.map((value) => `insert into samples (id, ${column}) values (${++id}, ${value})`),
    )
    for (const statement of statements) await domain().source.query(statement)
    await expectEqual()
    expect(id).toBeGreaterThan(90)

    await domain().source.query("update samples set id = id + 9007199254740000")
    await expectEqual()
    await domain().reads.query("insert into cdc.requests (source, kind) values ($1, 'rebuild')", [
      domain().name,
    ])
    const before = await domain().liveSchema()
    await expect.poll(() => domain().liveSchema(), { timeout: 30_000 }).not.toBe(before)
    await expectEqual()
    await domain().source.query("update samples set n = coalesce(n, 0) where id > 0")
    await expectEqual()
  })

  test("and are summed exactly: money in minor units far beyond what a double holds", async () => {
    await domain().source.query(
      `insert into lines (book, line, amount) values
        ('cents', 1, 10), ('cents', 2, 10), ('cents', 3, 10),
        ('large', 1, 100000000000000001), ('large', 2, 100000000000000001), ('large', 3, 1)`,
    )
    await expectEqual()
    const { rows } = await domain().reads.query(
      `select book, amount from ${await domain().liveSchema()}.book_totals order by book`,
    )
    expect(rows).toEqual([
      { book: "cents", amount: "30" },
      { book: "large", amount: "200000000000000003" },
    ])
  })

  async function expectEqual(): Promise<void> {
    expect(await differences()).toEqual([])
  }
})

describe("what the connector cannot send exactly is refused", () => {
  const cases: { value: string; column: Column; says: RegExp }[] = [
    { value: "'{{a,b},{c,d}}'", column: textArray("tags"), says: /column tags: .*several dimensions/ },
    { value: "'{{1,2},{3,4}}'", column: integerArray("counts"), says: /column counts: .*several dimensions/ },
    { value: "'infinity'", column: timestamp("noted"), says: /column noted: .*infinite/ },
    { value: "'-infinity'", column: timestamp("noted"), says: /column noted: .*infinite/ },
    { value: "'294276-12-31 23:59:59'", column: timestamp("noted"), says: /column noted: .*294246/ },
    { value: "'294276-12-31 23:59:59.999999'", column: timestamp("noted"), says: /column noted: .*294246/ },
  ]

  test("in a stream, by the column's name", async () => {
    for (const [id, { value, column }] of cases.entries()) {
      await domain().source.query(`insert into odd (id, ${column.name}) values (${id}, ${value})`)
    }
    await domain().caughtUp()
    const topic = `${domain().name}.public.odd`
    await expect.poll(() => topics().length(topic), { timeout: 15_000 }).toBe(cases.length)
    const decoder = (column: Column) => ({
      read: createDecoder(domain().fetchSchema),
      table: { name: "odd", key: [integer("id")], columns: [column] },
    })
    const records = await topics().readAll([topic])
    for (const [id, { column, says }] of cases.entries()) {
      const raw = await recordOf(id)
      const { read, table } = decoder(column)
      await expect(read.decodeData(raw, table)).rejects.toMatchObject({
        code: "undecodable-record",
        message: expect.stringMatching(says),
      })
    }

    async function recordOf(id: number) {
      for (const raw of records) {
        const { read, table } = decoder(longText("unused"))
        if ((await read.decodeKey(raw, table))?.[0] === id) return raw
      }
      throw new Error(`row ${id} was not captured`)
    }
  })
})
