// The vocabulary between the steps: decoded records of the data topics and of the commit log, and transactions.
import type { EngineError } from "./errors.ts"
import type { Lsn } from "./lsn.ts"
import type { Place } from "./place.ts"

/** Stands for a column that the update left alone and Postgres did not send: the stored value is still the value. */
export const unavailable = Symbol("unavailable")
export type Unavailable = typeof unavailable

export type Value = string | number | bigint | boolean | null
/** A row's values in the order of the mirrored table: the key, then the columns. */
export type Row = readonly (Value | Unavailable)[]

/** Topic, partition and offset of a record. It proves no order between partitions; it serves resuming and people. */
export type Origin = { topic: string; partition: number; offset: bigint }

/** An origin as a text, for people and for telling records apart: `t[0]@7`. */
export const originText = ({ topic, partition, offset }: Origin): string => `${topic}[${partition}]@${offset}`

/** The name of a partition where offsets are kept by partition: `t/0`. */
export const partitionKey = (topic: string, partition: number): string => `${topic}/${partition}`

/** Topic and partition of a name that `partitionKey` made. */
export function splitPartitionKey(key: string): [topic: string, partition: number] {
  const slash = key.lastIndexOf("/")
  return [key.slice(0, slash), Number(key.slice(slash + 1))]
}

export type Change =
  /** `isNew`: the row was inserted under this key. Values that were not sent then lie under the row's old key. */
  | { op: "upsert"; table: string; key: readonly Value[]; row: Row; isNew: boolean }
  | { op: "delete"; table: string; key: readonly Value[] }
  /** A change that can neither be applied nor passed over: the flow applies all transactions before it, and halts. */
  | { op: "blocked"; table: string; key: readonly []; error: EngineError }

/** A record of a data topic: one row change of one transaction. */
export type DataRecord = {
  origin: Origin
  /** The connector run that sent the record; a crash of Connect begins a new run. */
  runId: string
  /** (topic, key, lsn, op): equal for every re-sent copy of the record and for no other record. */
  identity: string
  xid: string
  lsn: Lsn
  /** Commit LSN of the transaction before the record's own; null only in the first transaction of a new slot. */
  previousCommitLsn: Lsn | null
  /** Size of the record in its topic. */
  bytes: number
  change: Change
}

/** The part of a record that an apply needs. */
export type RowChange = Pick<DataRecord, "origin" | "lsn" | "change">

/** A record of the commit log. Counts are rows per source table (schema and name). */
export type CommitLogEntry =
  | { status: "BEGIN"; offset: bigint; xid: string }
  | { status: "END"; offset: bigint; xid: string; commitLsn: Lsn; counts: ReadonlyMap<string, number> }

/** A transaction as far as its END describes it. */
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

/** A change that could not be applied, with its raw record: it is parked as a dead letter. */
export type DeadLetter = {
  raw: RawRecord
  table: string
  /** Null when the record cannot be read. */
  key: readonly Value[] | null
  /** The place of the change in history; null when the record cannot be read. */
  place: Place | null
  error: EngineError
}

/** End offsets of the topics, by `topic/partition`. */
export type EndOffsets = { data: ReadonlyMap<string, bigint>; commitLog: ReadonlyMap<string, bigint> }

/** A transaction or a part of a transaction, its changes in the order they were made. */
export type Changes = { xid: string; commitLsn: Lsn; records: readonly RowChange[] }

/** A text that is equal for equal keys only. */
export const keyText = (key: readonly Value[]): string =>
  key.length === 1 ? String(key[0]) : key.map((part) => `${String(part).length}:${part}`).join("")

/** A record as the reader of the topics hands it over, each partition in its order. */
export type Read =
  | { kind: "record"; record: DataRecord }
  /** A record of a data topic that cannot be read. */
  | { kind: "unreadable"; change: DeadLetter }
  | { kind: "entry"; entry: CommitLogEntry }
