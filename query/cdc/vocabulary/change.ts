// The vocabulary between the steps: what a decoded record of a data topic or of the commit log says.
import type { EngineError } from "./errors.ts"
import type { Lsn } from "./lsn.ts"
import type { Place } from "./place.ts"

/** A column that the update left alone and Postgres did not send; its value is the one stored before. */
export const unavailable = Symbol("unavailable")
export type Unavailable = typeof unavailable

export type Value = string | number | bigint | boolean | null
/** A row's values in the order of the mirrored table: the key, then the columns. */
export type Row = readonly (Value | Unavailable)[]

/** Where a record was read. It proves nothing about order between partitions; it is for resuming and for people. */
export type Origin = { topic: string; partition: number; offset: bigint }

/** A record's place in the topics, for people and for telling records apart. */
export const placeOf = ({ topic, partition, offset }: Origin): string => `${topic}[${partition}]@${offset}`

/** The name of a partition where offsets are kept by partition. */
export const partitionKey = (topic: string, partition: number): string => `${topic}/${partition}`

/** Topic and partition of such a name. */
export function splitPartitionKey(key: string): [topic: string, partition: number] {
  const slash = key.lastIndexOf("/")
  return [key.slice(0, slash), Number(key.slice(slash + 1))]
}

export type Change =
  /** `isNew`: the key is; values that were not sent then lie under the key that the row had before. */
  | { op: "upsert"; table: string; key: readonly Value[]; row: Row; isNew: boolean }
  | { op: "delete"; table: string; key: readonly Value[] }
  /** It cannot be applied and must not be passed over: all before its transaction is applied, and nothing after. */
  | { op: "blocked"; table: string; key: readonly []; error: EngineError }

/** A record of a data topic: one row change of one transaction. */
export type DataRecord = {
  origin: Origin
  /** The connector run that sent it: a crash of Connect begins a new one. */
  runId: string
  /** (topic, key, lsn, op): equal for every re-sent copy and for nothing else. */
  identity: string
  xid: string
  lsn: Lsn
  /** Commit LSN of the transaction before this one; null only in the first transaction of a new slot. */
  previousCommitLsn: Lsn | null
  /** Size of the record in its topic. */
  bytes: number
  change: Change
}

/** What an apply takes of a record. */
export type RowChange = Pick<DataRecord, "origin" | "lsn" | "change">

/** A record of the commit log. Counts are rows per source table (schema and name). */
export type CommitLogEntry =
  | { status: "BEGIN"; offset: bigint; xid: string }
  | { status: "END"; offset: bigint; xid: string; commitLsn: Lsn; counts: ReadonlyMap<string, number> }

/** A transaction as its END tells of it. */
export type EndedTransaction = {
  xid: string
  commitLsn: Lsn
  /** Offset of its END in the commit log. */
  endOffset: bigint
}

/** A whole transaction of the source, its changes in the order they were made. */
export type Transaction = EndedTransaction & { records: readonly DataRecord[] }

/** A Kafka record as the consumer gives it. */
export type RawRecord = {
  topic: string
  partition: number
  offset: bigint
  key: Buffer | null
  value: Buffer | null
  headers: Readonly<Record<string, Buffer | undefined>>
}

export type ParkedChange = {
  raw: RawRecord
  table: string
  /** Null when it cannot be read. */
  key: readonly Value[] | null
  /** Where it belongs in history; null when it cannot be read. */
  place: Place | null
  error: EngineError
}

/** Where topics end, by `topic/partition`. */
export type EndOffsets = { data: ReadonlyMap<string, bigint>; commitLog: ReadonlyMap<string, bigint> }

/** A transaction or a part of one, its changes in the order they were made. */
export type Changes = { xid: string; commitLsn: Lsn; records: readonly RowChange[] }

/** A text that is equal for equal keys only. */
export const keyText = (key: readonly Value[]): string =>
  key.length === 1 ? String(key[0]) : key.map((part) => `${String(part).length}:${part}`).join("")

/** What the reader of the topics hands over, each partition in its order. */
export type Read =
  | { kind: "record"; record: DataRecord }
  /** A record of a data topic that cannot be read. */
  | { kind: "unreadable"; change: ParkedChange }
  | { kind: "entry"; entry: CommitLogEntry }
