// A record comes back from the staged table as it went in, and copies of it are known as such.
import fc from "fast-check"
import { expect, test } from "vitest"
import { toRecord, toStagedRow } from "../../../../../query/cdc/apply/staged/staged-record.ts"
import { unavailable } from "../../../../../query/cdc/vocabulary/change.ts"
import { propertyRuns } from "../../../../support/properties.ts"
import { rowChange } from "../../given/records.ts"

const value = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
  fc.constantFrom('{"bigint":"1"}', "\u0000", "\ud800"),
)

test("any values, and values that were not sent, survive", () => {
  fc.assert(
    fc.property(
      fc.array(value, { minLength: 1, maxLength: 3 }),
      fc.array(fc.oneof(value, fc.constant(unavailable)), { maxLength: 6 }),
      fc.constantFrom("c", "u", "d"),
      (key, rest, op) => {
        const record = rowChange({
          op,
          key,
          row: [...key, ...rest],
          lsn: 7,
          previous: 1,
          partition: 3,
          offset: 9,
        })
        const { lsn, record: text } = toStagedRow(record)
        const { origin, change } = record
        expect(toRecord(lsn, text)).toEqual({ origin, lsn, change })
      },
    ),
    propertyRuns("staged records", 300),
  )
})

test("a copy has the same identity, and nothing else has", () => {
  const record = { lsn: 7, previous: 1, offset: 9 }
  const identityOf = (change: Parameters<typeof rowChange>[0]) => toStagedRow(rowChange(change)).identity
  expect(identityOf({ ...record, runId: "run-2", offset: 90 })).toBe(identityOf(record))
  for (const other of [{ lsn: 8 }, { op: "d" as const }, { key: "other" }, { table: "u" }]) {
    expect(identityOf({ ...record, ...other })).not.toBe(identityOf(record))
  }
})
