// From what Avro gives to what Postgres reads as exactly the stored value; what is not exact is refused. The forms
// themselves were measured on the real connector (test/scenarios/extreme-values.cdc.test.ts runs them).
import { describe, expect, test } from "vitest"
import { columnForms } from "../../../../query/cdc/projection/column-forms.ts"
import {
  bigintArray,
  bytea,
  type Column,
  type ColumnType,
  integer,
  integerArray,
  longText,
  numeric,
  text,
  textArray,
} from "../../../../query/cdc/projection/columns.ts"
import { rowOf } from "../../../../query/cdc/projection/row-image.ts"
import {
  storablePlaceholder,
  unavailablePlaceholder,
} from "../../../../query/cdc/projection/unavailable-value.ts"
import { unavailable, type Value } from "../../../../query/cdc/vocabulary/change.ts"

const exact: [type: ColumnType, sent: unknown, read: Value][] = [
  ["text", "__debezium_unavailable_value", "__debezium_unavailable_value"],
  ["bigint", 9007199254740993n, 9007199254740993n],
  ["bigint", 7, 7n],
  ["numeric", "1234567890123456789.000100", "1234567890123456789.000100"],
  ["numeric", "NAN", "NaN"],
  ["numeric", "POSITIVE_INFINITY", "Infinity"],
  ["numeric", "NEGATIVE_INFINITY", "-Infinity"],
  ["double precision", -0, "-0"],
  ["double precision", 5e-324, 5e-324],
  ["double precision", Number.NEGATIVE_INFINITY, "-Infinity"],
  ["real", Number.NaN, "NaN"],
  ["date", -719_163, "0001-12-31 BC"],
  ["time", 86_400_000_000n, "24:00:00.000000"],
  ["bytea", Buffer.from([0, 255]), "\\x00ff"],
  ["bytea", Buffer.alloc(0), "\\x"],
  ["text[]", [], "{}"],
  ["text[]", [null], "{NULL}"],
  ["text[]", ["NULL", "", 'q"', "a,b", "{}", "back\\"], '{"NULL","","q\\"","a,b","{}","back\\\\"}'],
  ["integer[]", [1, null, -2147483648], "{1,NULL,-2147483648}"],
  ["bigint[]", [9007199254740993n, null], "{9007199254740993,NULL}"],
]

test.each(exact)("%s %s is read as %s", (type, sent, read) => {
  expect(columnForms[type].read(sent)).toEqual(read)
})

const refused: [type: ColumnType, sent: unknown, says: RegExp][] = [
  ["text", 1, /number/],
  ["integer", "1", /string/],
  ["boolean", "true", /string/],
  ["numeric", "1,5", /not a decimal/],
  ["numeric", "", /not a decimal/],
  ["bytea", "x", /string/],
  ["text[]", "{}", /string/],
  ["text[]", [1], /number/],
  ["text[]", ["[Ljava.lang.String;@38a23785"], /several dimensions/],
  ["text[]", ["a", "[[Ljava.lang.String;@45fbf1f5"], /several dimensions/],
  ["integer[]", [null, null], /several dimensions/],
  ["bigint[]", [null], /several dimensions/],
]

test.each(refused)("%s %s is refused", (type, sent, says) => {
  expect(() => columnForms[type].read(sent)).toThrow(says)
})

describe("the placeholder of a value that was not sent", () => {
  const bytes = Buffer.from(unavailablePlaceholder)
  const forms: [column: Column, sent: unknown][] = [
    [longText("c"), unavailablePlaceholder],
    [numeric("c"), unavailablePlaceholder],
    [bytea("c"), bytes],
    [textArray("c"), [unavailablePlaceholder]],
    [integerArray("c"), [...bytes]],
    [bigintArray("c"), [...bytes].map(BigInt)],
  ]
  const read = (column: Column, sent: unknown) =>
    rowOf({ id: 1, c: sent }, { name: "t", key: [integer("id")], columns: [column] })[1]

  test.each(forms)("is known for %o", (column, sent) => {
    expect(read(column, sent)).toBe(unavailable)
  })

  test("is nothing but a value where none can be missing, and parts of it are none", () => {
    expect(read(text("c"), unavailablePlaceholder)).toBe(unavailablePlaceholder)
    expect(read(integerArray("c"), [...bytes, 1])).toMatch(/^\{108,.*,1\}$/)
    expect(read(integerArray("c"), [])).toBe("{}")
    expect(read(textArray("c"), [unavailablePlaceholder, "a"])).toContain(",")
    expect(read(bytea("c"), bytes.subarray(1))).toMatch(/^\\x/)
    expect(read(integerArray("c"), null)).toBeNull()
  })

  test("can be stored in a bytea and in arrays of numbers, and in nothing that must be text", () => {
    const storable = forms.filter(([{ type }]) => storablePlaceholder(type) !== null)
    expect(storable.map(([{ type }]) => type)).toEqual(["bytea", "integer[]", "bigint[]"])
  })
})

test("what is refused names its column and not the value, which may be personal", () => {
  const table = { name: "t", key: [integer("id")], columns: [numeric("salary")] }
  const failure = () => rowOf({ id: 1, salary: "secret" }, table)
  expect(failure).toThrow(/column salary/)
  expect(failure).not.toThrow(/secret/)
})
