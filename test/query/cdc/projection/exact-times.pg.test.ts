// Days, microseconds and ISO text become the same date, time and timestamp in Postgres, wherever in its range they lie.
import fc from "fast-check"
import type pg from "pg"
import { afterAll, beforeAll, expect, test } from "vitest"
import { createPool } from "../../../../db/connect.ts"
import {
  dateText,
  timestampText,
  timestamptzText,
  timeText,
} from "../../../../query/cdc/projection/exact-times.ts"
import { readDatabases } from "../../../stack/endpoints.ts"
import { propertyRuns } from "../../../support/properties.ts"

let pool: pg.Pool
beforeAll(() => {
  pool = createPool({ url: readDatabases().queryDatabaseUrl, applicationName: "test" })
})
afterAll(() => pool?.end())

/** Numbers for which Postgres, asked in SQL, says that the text is another value than the one computed there. */
async function wrong<Number_ extends number | bigint>(
  values: readonly Number_[],
  text: (value: Number_) => string,
  computed: string,
  type: string,
): Promise<unknown[]> {
  const { rows } = await pool.query(
    `select value, text, ${computed} as computed from unnest($1::bigint[], $2::text[]) as given (value, text)
     where text::${type} <> ${computed}`,
    [values, values.map(text)],
  )
  return rows
}

const days = fc.array(fc.integer({ min: -2_440_588, max: 2_145_042_905 }), { minLength: 200, maxLength: 400 })
const nearDays = fc.array(fc.integer({ min: -800_000, max: 1_000_000 }), { minLength: 200, maxLength: 400 })

test("dates, from 4714 BC to 5874897", async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(days, nearDays), async (values) => {
      expect(await wrong(values, dateText, "date '1970-01-01' + value::integer", "date")).toEqual([])
    }),
    propertyRuns("dates", 20),
  )
  expect([2_145_042_906, -2_440_589].map(dateText)).toEqual(["infinity", "-infinity"])
})

const microseconds = (min: bigint, max: bigint) =>
  fc.array(fc.bigInt({ min, max }), { minLength: 200, maxLength: 400 })
const moments = fc.oneof(
  microseconds(-210_866_803_200_000_000n, 9_223_371_331_199_999_999n),
  microseconds(-62_167_219_200_000_000n, 4_102_444_800_000_000n),
)
/** In whole steps, because an interval is multiplied as a double. */
const moment = (epoch: string) =>
  `(${epoch} + (value / 86400000000) * interval '1 day' + ((value % 86400000000) / 1000000) * interval '1 second'
    + (value % 1000000) * interval '1 microsecond')`

test("timestamps, from 4714 BC to 294246, to the microsecond", async () => {
  await fc.assert(
    fc.asyncProperty(moments, async (values) => {
      const computed = moment("timestamp '1970-01-01'")
      expect(await wrong(values, timestampText, computed, "timestamp")).toEqual([])
    }),
    propertyRuns("timestamps", 20),
  )
  for (const none of [-(2n ** 63n), 2n ** 63n - 1n, -210_866_803_200_000_001n, -9_223_372_036_853_775_810n]) {
    expect(() => timestampText(none)).toThrow(RangeError)
  }
})

test("times of day, 24:00 included", async () => {
  const values = [0n, 1n, 999_999n, 59_999_999n, 3_600_000_000n, 86_399_999_999n]
  const computed = "time '00:00' + value * interval '1 microsecond'"
  expect(await wrong(values, timeText, computed, "time")).toEqual([])
  expect(timeText(86_400_000_000n)).toBe("24:00:00.000000")
})

test.each([
  ["2024-02-29T23:59:59.999999Z", "2024-02-29 23:59:59.999999+00"],
  ["0001-01-01T00:00:00.000001Z", "0001-01-01 00:00:00.000001+00"],
  ["0000-12-31T23:59:59.999999Z", "0001-12-31 23:59:59.999999+00 BC"],
  ["-4713-11-24T00:00:00.000000Z", "4714-11-24 00:00:00+00 BC"],
  ["+10000-01-01T00:00:00.500000Z", "10000-01-01 00:00:00.5+00"],
  ["+294276-12-31T23:59:59.999999Z", "294276-12-31 23:59:59.999999+00"],
  ["infinity", "infinity"],
  ["-infinity", "-infinity"],
])("%s is %s", async (iso, expected) => {
  const { rows } = await pool.query("select $1::timestamptz = $2::timestamptz as same", [
    timestamptzText(iso),
    expected,
  ])
  expect(rows).toEqual([{ same: true }])
})

test("what is not ISO 8601 in UTC is refused", () => {
  for (const text of ["", "now", "2024-02-29", "2024-02-29T00:00:00+02:00", "24-02-29T00:00:00Z"]) {
    expect(() => timestamptzText(text)).toThrow(SyntaxError)
  }
})
