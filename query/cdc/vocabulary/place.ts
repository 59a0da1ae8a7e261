// A place is the point in history to which a row change belongs. The guard of a stored row is a place, and the notes on
// dead letters hold places. Only this module and SQL statements compare places.
import { type Lsn, parseLsn } from "./lsn.ts"

export type Place = { commitLsn: Lsn; lsn: Lsn; xid: string }

/**
 * Transactions are compared by commit LSN, changes of one transaction by their own LSN. Equal xids show the same
 * transaction too, because the commit LSN of a dead letter that could not be read may be an estimate.
 * Example: a dead letter at (commit 701, lsn 650, xid 7), 701 being the estimate, is later than a stored row at
 * (800, 640, 7), because 650 > 640; it is earlier than a row at (800, 640, 8), because 701 < 800.
 */
export const isLater = (a: Place, b: Place): boolean =>
  a.xid === b.xid || a.commitLsn === b.commitLsn ? a.lsn > b.lsn : a.commitLsn > b.commitLsn

export const laterOf = (a: Place | undefined, b: Place): Place => (a && isLater(a, b) ? a : b)

/** A place as it is stored: `800/640/7`. */
export const formatPlace = ({ commitLsn, lsn, xid }: Place): string => `${commitLsn}/${lsn}/${xid}`

/** @throws SyntaxError or RangeError if `formatPlace` did not write it. */
export function parsePlace(text: string): Place {
  const [commitLsn, lsn, xid] = text.split("/")
  if (!commitLsn || !lsn || xid === undefined) throw new SyntaxError(`"${text}" is not a place`)
  return { commitLsn: parseLsn(commitLsn), lsn: parseLsn(lsn), xid }
}
