// Part of step 2 (decode): if an update leaves alone a value that Postgres keeps out of line, the WAL lacks the value.
// Debezium then sends a placeholder, made of one setting (`unavailable.value.placeholder`) for every type.
// https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-toasted-values

/**
 * The placeholder that the connector is told to send. It holds a NUL, and no Postgres text can hold a NUL. So no stored
 * text, JSON, numeric or array of texts equals the placeholder.
 */
export const unavailablePlaceholder = "lockstep\u0000unavailable"

/** The connector sends these bytes for a bytea, and one number per byte for an array of numbers. */
const placeholderBytes = Buffer.from(unavailablePlaceholder)

/** Whether a value, as Avro gives it, is the placeholder of a value that was not sent. */
export function isPlaceholder(value: unknown): boolean {
  if (typeof value === "string") return value === unavailablePlaceholder
  if (Buffer.isBuffer(value)) return value.equals(placeholderBytes)
  if (!Array.isArray(value)) return false
  if (value.length === 1) return value[0] === unavailablePlaceholder
  return (
    value.length === placeholderBytes.length &&
    placeholderBytes.every((byte, index) => value[index] === byte || value[index] === BigInt(byte))
  )
}

/**
 * SQL of the storable value of a type that equals the placeholder, or null if the type has no such value. A source
 * table must refuse this value: the engine would take it for a value that was not sent.
 */
export function storablePlaceholder(type: string): string | null {
  if (type === "bytea") return `'\\x${placeholderBytes.toString("hex")}'::bytea`
  return type === "integer[]" || type === "bigint[]"
    ? `'{${[...placeholderBytes].join(",")}}'::${type}`
    : null
}
