// Positions in the write side's history. An LSN is a 64-bit number; compared as text or as a JS number it lies,
// so it is a branded bigint and this module is the only place that makes one.

declare const lsnBrand: unique symbol
/** A log sequence number of the source database; a commit LSN is the one of a transaction's end. */
export type Lsn = bigint & { readonly [lsnBrand]: true }

const isLsn = (value: bigint): value is Lsn => value >= 0n && value < 1n << 63n

/** @throws RangeError if the number cannot be a position. */
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
