// The one table of column types: how each looks in the writer's schema, how a value becomes exact, and what column
// keeps it. Debezium names the meaning, Avro the bytes: a long without a name is a bigint, with the name of a
// timestamp it is none. What the connector cannot send exactly is refused here, never stored.
// https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-data-types
import type { Value } from "../vocabulary/change.ts"
import type { ColumnType } from "./columns.ts"
import { dateText, timestampText, timestamptzText, timeText } from "./exact-times.ts"

/** An Avro type with the names that Connect gave it. */
export type WrittenForm = { type: string; name?: string; connectType?: string; items?: WrittenForm }

export type ColumnForm = {
  /** Forms in the writer's schema from which the type can be read without losing or adding anything. */
  written: readonly WrittenForm[]
  /** What Postgres reads as exactly the value that was stored. @throws for a value that was not sent exactly. */
  read: (value: unknown) => Value
  /** Types of the source's column that the type holds exactly, as `format_type` names them, any enum as `enum`. */
  sources: readonly string[]
  /** Element type of the array parameter that carries the column's values; an array cannot hold arrays. */
  parameter: string
}

const named = (type: string, name: string): WrittenForm => ({ type, name: `io.debezium.${name}` })
const string = { type: "string" }
const enumForm = named("string", "data.Enum")
const uuidForm = named("string", "data.Uuid")
const jsonForm = named("string", "data.Json")
const texts = ["text", "character varying", "character", "citext", "name", "enum", "uuid"]

export const columnForms: Readonly<Record<ColumnType, ColumnForm>> = {
  text: { ...scalar("text", [string, enumForm, uuidForm], asString), sources: texts },
  uuid: scalar("uuid", [uuidForm], asString),
  json: scalar("json", [jsonForm], asString),
  jsonb: scalar("jsonb", [jsonForm], asString),
  smallint: scalar("smallint", [{ type: "int", connectType: "int16" }], asNumber),
  integer: { ...scalar("integer", [{ type: "int" }], asNumber), sources: ["integer", "smallint"] },
  bigint: {
    ...scalar("bigint", [{ type: "long" }, { type: "int" }], asBigint),
    sources: ["bigint", "integer", "smallint"],
  },
  numeric: scalar("numeric", [string], numericText),
  real: scalar("real", [{ type: "float" }], floatText),
  "double precision": scalar("double precision", [{ type: "double" }], floatText),
  boolean: scalar("boolean", [{ type: "boolean" }], asBoolean),
  date: scalar("date", [named("int", "time.Date")], (value) => dateText(asNumber(value))),
  time: {
    ...scalar("time", [named("long", "time.MicroTime")], (value) => timeText(asBigint(value))),
    sources: ["time without time zone"],
  },
  timestamp: {
    ...scalar("timestamp", [named("long", "time.MicroTimestamp")], (value) => timestampText(asBigint(value))),
    sources: ["timestamp without time zone"],
  },
  timestamptz: {
    ...scalar("timestamptz", [named("string", "time.ZonedTimestamp")], (value) =>
      timestamptzText(asString(value)),
    ),
    sources: ["timestamp with time zone"],
  },
  bytea: scalar("bytea", [{ type: "bytes" }], bytesText),
  "text[]": { ...array("text[]", string, textArray), sources: ["text[]", "character varying[]"] },
  "integer[]": array("integer[]", { type: "int" }, numberArray),
  "bigint[]": array("bigint[]", { type: "long" }, numberArray),
}

function scalar(type: string, written: readonly WrittenForm[], read: ColumnForm["read"]): ColumnForm {
  return { written, read, sources: [type], parameter: type }
}

function array(type: string, items: WrittenForm, read: ColumnForm["read"]): ColumnForm {
  return { written: [{ type: "array", items }], read, sources: [type], parameter: "text" }
}

function asString(value: unknown): string {
  return typeof value === "string" ? value : mismatch(value)
}

function asNumber(value: unknown): number {
  return typeof value === "number" ? value : mismatch(value)
}

/** A bigint may have been an integer when the record was written. */
function asBigint(value: unknown): bigint {
  if (typeof value === "number") return BigInt(value)
  return typeof value === "bigint" ? value : mismatch(value)
}

function asBoolean(value: unknown): boolean {
  return typeof value === "boolean" ? value : mismatch(value)
}

function mismatch(value: unknown): never {
  throw new TypeError(`a ${typeof value} is not a value of its column's type`)
}

/** Debezium names what no decimal is as Java does (`decimal.handling.mode=string`). */
const specialNumerics: Readonly<Record<string, string>> = {
  NAN: "NaN",
  POSITIVE_INFINITY: "Infinity",
  NEGATIVE_INFINITY: "-Infinity",
}

/** A text column has the same form in the schema, so what is no number is found here. */
function numericText(value: unknown): string {
  const text = asString(value)
  const special = specialNumerics[text]
  if (special !== undefined) return special
  if (!/^-?\d+(\.\d+)?(E[+-]?\d+)?$/i.test(text)) throw new SyntaxError("a numeric is not a decimal number")
  return text
}

/** JavaScript writes minus zero without its sign, and JSON has no infinities. */
function floatText(value: unknown): Value {
  const number = asNumber(value)
  if (Object.is(number, -0)) return "-0"
  return Number.isFinite(number) ? number : String(number)
}

function bytesText(value: unknown): string {
  return Buffer.isBuffer(value) ? `\\x${value.toString("hex")}` : mismatch(value)
}

/** What Debezium writes for each part of a text[] of several dimensions: the name of a Java object. */
const javaArray = /^\[+L[\w.$]+;@[0-9a-f]+$/

/** Postgres' notation of an array. Bounds other than 1 are not sent at all. */
function textArray(value: unknown): string {
  const elements = asArray(value).map((element) => {
    if (element === null) return "NULL"
    const text = asString(element)
    if (javaArray.test(text)) throw new RangeError("an array of several dimensions is not sent exactly")
    return `"${text.replaceAll(/[\\"]/g, "\\$&")}"`
  })
  return `{${elements.join(",")}}`
}

/** The parts of an array of several dimensions come as null, which leaves two readings of one that has nothing else. */
function numberArray(value: unknown): string {
  const elements = asArray(value)
  if (elements.length > 0 && elements.every((element) => element === null)) {
    throw new RangeError("an array of nulls alone cannot be told from one of several dimensions")
  }
  const texts = elements.map((element) => (element === null ? "NULL" : asBigint(element).toString()))
  return `{${texts.join(",")}}`
}

const asArray = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : mismatch(value))
