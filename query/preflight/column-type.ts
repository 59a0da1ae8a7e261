// Preflight: may a column that is read get another type? The decoder's table of column types (cdc/column-forms) says
// which types of the source each can be read from exactly; here the types that a migration names are looked up in it.
import type { Node, TypeName } from "libpg-query"
import { columnForms } from "../cdc/projection/column-forms.ts"
import type { ColumnType } from "../cdc/projection/columns.ts"

/** The parser's names of types that Postgres prints under another name. */
const printed: Readonly<Record<string, string>> = {
  int2: "smallint",
  int4: "integer",
  int8: "bigint",
  float4: "real",
  float8: "double precision",
  bool: "boolean",
  varchar: "character varying",
  bpchar: "character",
  time: "time without time zone",
  timetz: "time with time zone",
  timestamp: "timestamp without time zone",
  timestamptz: "timestamp with time zone",
}

const builtIn = new Set([
  ...Object.values(printed),
  "text",
  "name",
  "citext",
  "uuid",
  "xml",
  "json",
  "jsonb",
  "bytea",
  "bit",
  "varbit",
  "numeric",
  "money",
  "oid",
  "inet",
  "cidr",
  "macaddr",
  "date",
  "interval",
  "tsvector",
  "point",
  "hstore",
  "ltree",
])

/** `rounded` is the type that is read, with fewer digits; `unknown` is one that the file does not define. */
export type TypeFit = "exact" | "rounded" | "inexact" | "unknown"

export function fitOf(read: ColumnType, type: TypeName): TypeFit {
  const name = typeName(type)
  const isExact = columnForms[read].sources.includes(name)
  // Lengths of text are checked; digits of numbers and times are cut off in the rows that are there.
  if (isExact && (type.typmods ?? []).length > 0 && /numeric|time/.test(name)) return "rounded"
  if (isExact) return "exact"
  return builtIn.has(name) || name.endsWith("[]") ? "inexact" : "unknown"
}

/** As Postgres prints it, without length or precision. */
export function typeName(type: TypeName): string {
  const name = textOf((type.names ?? []).at(-1)) ?? ""
  return `${printed[name] ?? name}${(type.arrayBounds ?? []).length > 0 ? "[]" : ""}`
}

/** The text of a String node. */
export const textOf = (node: Node | undefined): string | null =>
  node && "String" in node ? (node.String.sval ?? null) : null
