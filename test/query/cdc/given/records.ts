// Decoded records as the tests of the engine write them down: short, with defaults that fit one another.
import type { CommitLogEntry, DataRecord, Row, Value } from "../../../../query/cdc/vocabulary/change.ts"
import { type Lsn, toLsn } from "../../../../query/cdc/vocabulary/lsn.ts"

export const lsn = (value: number): Lsn => toLsn(BigInt(value))

export type RowChange = {
  table?: string
  key?: Value | readonly Value[]
  op?: "c" | "u" | "d"
  /** Key and columns; by default the key alone. */
  row?: Row
  xid?: number
  lsn: number
  previous: number | null
  runId?: string
  partition?: number
  offset: number
}

/** A record of a data topic. */
export function rowChange(change: RowChange): DataRecord {
  const table = change.table ?? "t"
  const op = change.op ?? "u"
  const key = isList(change.key) ? change.key : [change.key ?? "k"]
  return {
    origin: { topic: `p.public.${table}`, partition: change.partition ?? 0, offset: BigInt(change.offset) },
    runId: change.runId ?? "run-1",
    identity: `${table}|${op}|${change.lsn}|${key.join("|")}`,
    xid: String(change.xid ?? 1),
    lsn: lsn(change.lsn),
    previousCommitLsn: change.previous === null ? null : lsn(change.previous),
    bytes: 100,
    change:
      op === "d"
        ? { op: "delete", table, key }
        : { op: "upsert", table, key, row: change.row ?? key, isNew: op === "c" },
  }
}

const isList = (key: RowChange["key"]): key is readonly Value[] => Array.isArray(key)

export const begin = (xid: number, offset = 0): CommitLogEntry => ({
  status: "BEGIN",
  offset: BigInt(offset),
  xid: String(xid),
})

/** `counts` are rows by source table; a number is the count of `public.t`. */
export const end = (
  xid: number,
  commitLsn: number,
  counts: number | Record<string, number>,
  offset = 0,
): CommitLogEntry => ({
  status: "END",
  offset: BigInt(offset),
  xid: String(xid),
  commitLsn: lsn(commitLsn),
  counts: new Map(Object.entries(typeof counts === "number" ? { "public.t": counts } : counts)),
})
