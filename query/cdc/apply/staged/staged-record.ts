// Part of staging: a record of a transaction too large for memory, as a row of the staged table and back. The text is
// JSON that a person can read. Values that JSON does not have are tagged: a bigint is {"bigint":"123"}, a value that
// the connector did not send is {"unavailable":true}.
import { createHash } from "node:crypto"
import { z } from "zod"
import {
  type DataRecord,
  type Row,
  type RowChange,
  unavailable,
  type Value,
} from "../../vocabulary/change.ts"
import type { Lsn } from "../../vocabulary/lsn.ts"

export type StagedRow = {
  lsn: Lsn
  isDelete: boolean
  /** Equal for every copy of a row change and for no other change; a hash, because keys may be long. */
  identity: string
  table: string
  /** The first key column as text: it names the aggregate. */
  aggregate: string
  record: string
}

const identityBytes = 16

export function toStagedRow({ origin, lsn, identity, change }: DataRecord): StagedRow {
  const record = {
    table: change.table,
    topic: origin.topic,
    partition: origin.partition,
    offset: String(origin.offset),
    key: change.key.map(toJson),
    ...(change.op === "upsert" ? { row: change.row.map(toJson), isNew: change.isNew } : {}),
  }
  return {
    lsn,
    isDelete: change.op === "delete",
    identity: createHash("sha256")
      .update(identity)
      .digest("hex")
      .slice(0, 2 * identityBytes),
    table: change.table,
    aggregate: String(change.key[0]),
    record: JSON.stringify(record),
  }
}

const plain = z.union([z.string(), z.number(), z.boolean(), z.null(), z.object({ bigint: z.string() })])
const recordShape = z.object({
  table: z.string(),
  topic: z.string(),
  partition: z.number(),
  offset: z.string(),
  key: z.array(plain),
  row: z.array(z.union([plain, z.object({ unavailable: z.literal(true) })])).optional(),
  isNew: z.boolean().default(false),
})

/** @throws an error if `toStagedRow` did not write the text. */
export function toRecord(lsn: Lsn, text: string): RowChange {
  const { table, topic, partition, offset, key: keyParts, row, isNew } = recordShape.parse(JSON.parse(text))
  const key = keyParts.map(fromJson)
  const restored: Row | undefined = row?.map((value) =>
    isUnavailable(value) ? unavailable : fromJson(value),
  )
  return {
    origin: { topic, partition, offset: BigInt(offset) },
    lsn,
    change: restored ? { op: "upsert", table, key, row: restored, isNew } : { op: "delete", table, key },
  }
}

type Plain = z.infer<typeof plain>

const toJson = (value: Row[number]): Plain | { unavailable: true } =>
  value === unavailable
    ? { unavailable: true }
    : typeof value === "bigint"
      ? { bigint: String(value) }
      : value

const fromJson = (value: Plain): Value =>
  typeof value === "object" && value !== null ? BigInt(value.bigint) : value

const isUnavailable = (value: Plain | { unavailable: true }): value is { unavailable: true } =>
  typeof value === "object" && value !== null && "unavailable" in value
