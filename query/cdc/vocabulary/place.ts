// Where a row change belongs in history, and which of two comes later. A stored row's guard and the notes on parked
// changes are places of changes; all of them are compared here and nowhere else outside of SQL.
import { type Lsn, parseLsn } from "./lsn.ts"

export type Place = { commitLsn: Lsn; lsn: Lsn; xid: string }

/**
 * Transactions by their commit, changes of one transaction by their LSN. That a transaction is the same is known by its
 * xid too, because the commit LSN of a change that could not be read is known only as lying before the next one's.
 */
export const isLater = (a: Place, b: Place): boolean =>
  a.xid === b.xid || a.commitLsn === b.commitLsn ? a.lsn > b.lsn : a.commitLsn > b.commitLsn

export const laterOf = (a: Place | undefined, b: Place): Place => (a && isLater(a, b) ? a : b)

/** As it is stored. */
export const formatPlace = ({ commitLsn, lsn, xid }: Place): string => `${commitLsn}/${lsn}/${xid}`

/** @throws SyntaxError or RangeError if `formatPlace` did not write it. */
export function parsePlace(text: string): Place {
  const [commitLsn, lsn, xid] = text.split("/")
  if (!commitLsn || !lsn || xid === undefined) throw new SyntaxError(`"${text}" is not a place`)
  return { commitLsn: parseLsn(commitLsn), lsn: parseLsn(lsn), xid }
}
