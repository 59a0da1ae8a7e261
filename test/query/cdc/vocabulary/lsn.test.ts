// Positions are 64-bit numbers: read exactly, in Postgres' notation and Debezium's, or refused.
import { expect, test } from "vitest"
import { formatLsn, maxLsn, parseLsn, parsePgLsn, toLsn } from "../../../../query/cdc/vocabulary/lsn.ts"

test.each([
  ["0/0", 0n],
  ["0/1", 1n],
  ["16/B374D848", 97500059720n],
  ["FFFFFFFF/FFFFFFFF", null],
  ["7FFFFFFF/FFFFFFFF", (1n << 63n) - 1n],
])("%s is %s", (text, value) => {
  if (value === null) return expect(() => parsePgLsn(text)).toThrow(RangeError)
  expect(parsePgLsn(text)).toBe(value)
  expect(formatLsn(toLsn(value))).toBe(text)
})

test.each(["", "1", "1/2/3", "/1", "1/", "x/y"])("%j is no position", (text) => {
  expect(() => parsePgLsn(text)).toThrow(SyntaxError)
})

test("decimal digits are read beyond 2^53, and nothing else is", () => {
  expect(parseLsn("9007199254740993")).toBe(9007199254740993n)
  for (const text of ["-1", "1.5", "abc", "9223372036854775808"]) expect(() => parseLsn(text)).toThrow()
})

test("the later of two is told by number, not by text", () => {
  expect(maxLsn(toLsn(9n), toLsn(10n))).toBe(10n)
})
