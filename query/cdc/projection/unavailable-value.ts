// Part of step 2 (decode): a value that Postgres keeps out of line and an update leaves alone is not in the WAL.
// Debezium sends a placeholder in its place, made of one setting (`unavailable.value.placeholder`) for every type.
// https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-toasted-values

/**
 * What the connector is told to send. It holds a NUL, which no Postgres text can: nobody can store a text, JSON or
 * numeric, or an array of texts, that reads as absent.
 */
export const unavailablePlaceholder = "lockstep\u0000unavailable"

/** What it sends for a bytea, and byte by byte for an array of numbers. */
const placeholderBytes = Buffer.from(unavailablePlaceholder)

/** Whether a value, as Avro gives it, stands for one that was not sent. */
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
 * SQL of the one storable value of a type that equals the placeholder, or null where none can be stored. A source
 * table must refuse it, or a value somebody stored would be taken for one that was not sent.
 */
export function storablePlaceholder(type: string): string | null {
  if (type === "bytea") return `'\\x${placeholderBytes.toString("hex")}'::bytea`
  return type === "integer[]" || type === "bigint[]"
    ? `'{${[...placeholderBytes].join(",")}}'::${type}`
    : null
}
