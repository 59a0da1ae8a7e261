// A made-up history of the source: transactions in commit order whose row LSNs overlap, with multi-row COPY,
// primary key changes, rows of a table nobody reads, and transactions that have nothing else.
import { type Lsn, toLsn } from "../../../../query/cdc/vocabulary/lsn.ts"
import type { Choices } from "../../../support/properties.ts"

export type SourceRow = {
  table: string
  key: string
  op: "c" | "u" | "d"
  lsn: Lsn
  /** Null for a table that is counted in the commit log but not read. */
  partition: number | null
}

export type SourceTransaction = {
  xid: string
  previousCommitLsn: Lsn
  commitLsn: Lsn
  rows: SourceRow[]
}

const tables = ["t", "u"]
export const partitionsPerTable = 3
export const foreignTable = "cdc_signals"
/** The END that the reader starts from. */
export const genesis = toLsn(1_000n)

/** Some transactions, xids not in commit order. */
export function writeHistory(choices: Choices): SourceTransaction[] {
  const history: SourceTransaction[] = []
  let previous = genesis
  for (let index = 0, count = 2 + choices.pick(6); index < count; index++) {
    // It may have begun long before the transaction before it committed.
    let at = previous - BigInt(choices.pick(200))
    const rows: SourceRow[] = []
    for (let step = choices.pick(5); step >= 0; step--) {
      at += BigInt(1 + choices.pick(20))
      rows.push(...changeRows(choices, toLsn(at)))
    }
    const commitLsn = toLsn((at > previous ? at : previous) + 1n + BigInt(choices.pick(50)))
    history.push({ xid: String(700 + ((index * 5) % 11)), previousCommitLsn: previous, commitLsn, rows })
    previous = commitLsn
  }
  return history
}

function changeRows(choices: Choices, lsn: Lsn): SourceRow[] {
  const table = tables[choices.pick(tables.length)] ?? "t"
  const row = (key: number, op: SourceRow["op"]): SourceRow => ({
    table,
    key: `k${key}`,
    op,
    lsn,
    partition: key % partitionsPerTable,
  })
  const key = choices.pick(8)
  switch (choices.pick(6)) {
    case 0:
      return [row(key, "u")]
    case 1:
      return [row(key, "c")]
    case 2:
      return [row(key, "d")]
    case 3: {
      const copied = 2 + choices.pick(3)
      return Array.from({ length: copied }, (_, index) => row(key + index, "c"))
    }
    case 4:
      return [row(key, "d"), row(key + 1 + choices.pick(5), "c")]
    default:
      return [{ ...row(key, "c"), table: foreignTable, partition: null }]
  }
}

export const identityOf = ({ table, op, lsn, key }: SourceRow): string => `${table}|${op}|${lsn}|${key}`

/** The rows of a transaction that reach the read side. */
export const readRows = (transaction: SourceTransaction): SourceRow[] =>
  transaction.rows.filter(({ partition }) => partition !== null)
