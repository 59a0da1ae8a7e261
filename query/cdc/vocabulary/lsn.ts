// An LSN names a point in the source's write-ahead log. It is a 64-bit number and must be compared as one: as texts
// "9" comes after "10", and JS numbers are exact only up to 2^53. So an LSN is a branded bigint, made only here.

declare const lsnBrand: unique symbol
/** A log sequence number of the source database; a commit LSN is the LSN of a transaction's end. */
export type Lsn = bigint & { readonly [lsnBrand]: true }

const isLsn = (value: bigint): value is Lsn => value >= 0n && value < 1n << 63n

/** @throws RangeError if the number cannot be an LSN. */
export function toLsn(value: bigint): Lsn {
  if (!isLsn(value)) throw new RangeError(`${value} is not an LSN`)
  return value
}

/** Reads decimal digits, as Debezium writes them. @throws SyntaxError or RangeError otherwise. */
export const parseLsn = (decimal: string): Lsn => toLsn(BigInt(decimal))

/** Reads Postgres' own notation, `16/B374D848`. @throws SyntaxError or RangeError otherwise. */
export function parsePgLsn(text: string): Lsn {
  const [high, low, ...rest] = text.split("/")
  if (!high || !low || rest.length > 0) throw new SyntaxError(`"${text}" is not a pg_lsn`)
  return toLsn((BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`))
}

/** Postgres' own notation, for people: `16/B374D848`. */
export const formatLsn = (lsn: Lsn): string =>
  `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffffffffn).toString(16).toUpperCase()}`

export const maxLsn = (a: Lsn, b: Lsn): Lsn => (a > b ? a : b)
