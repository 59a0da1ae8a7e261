// Part of step 4 (apply): parks row changes that cannot be applied, in the transaction of the progress that passes
// them. From then on the read models are the prefix minus these, and every answer over them says so.
import type { Kysely, Transaction as Transaction_ } from "kysely"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import type { GenerationRef } from "../lease/progress.ts"
import { keyText, type Origin, type ParkedChange, type Value } from "../vocabulary/change.ts"
import { EngineError } from "../vocabulary/errors.ts"
import type { Lsn } from "../vocabulary/lsn.ts"

/**
 * What became known of a parked record: that a transaction misses it, or one of its kind that cannot be read either; or
 * (null) that none does any more.
 */
export type Placement = {
  origin: Origin
  missedBy: { commitLsn: Lsn; previousCommitLsn: Lsn } | null
  /** It is only read again, and its transaction was applied before: nothing is missing. */
  wasApplied: boolean
}

/** Rows with a parked change, as `rowName` names them. */
export type ParkedRows = ReadonlySet<string>

export const rowName = (table: string, key: readonly Value[]): string =>
  `${table}|${keyText(key.map(String))}`

export type Parking = {
  changes: readonly ParkedChange[]
  placements: readonly Placement[]
  /** Rows that had a parked change before this step. */
  rows: ParkedRows
  /** Most entries that may be parked: beyond it no record is bad but the stream. */
  limit: number
}

/** Does all that a step of the progress means for what is parked. @throws EngineError (halt) beyond the limit. */
export async function park(
  trx: Transaction_<QueryDatabase>,
  ref: GenerationRef,
  parking: Parking,
): Promise<void> {
  for (const change of parking.changes) await parkChange(trx, ref, change)
  for (const placement of parking.placements) await place(trx, ref, placement)
  const newest = parking.changes.at(-1)
  if (newest) await assertFew(trx, ref, newest, parking.limit)
}

/** The rows with a parked change once a step is applied. */
export const parkedRowsAfter = ({ rows, changes }: Parking): ParkedRows =>
  new Set([...rows, ...changes.flatMap(({ table, key }) => (key ? [rowName(table, key)] : []))])

async function assertFew(
  trx: Transaction_<QueryDatabase>,
  ref: GenerationRef,
  newest: ParkedChange,
  limit: number,
): Promise<void> {
  const { entries } = await trx
    .selectFrom("cdc.dead_letters")
    .select((eb) => eb.fn.countAll<bigint>().as("entries"))
    .where("source", "=", ref.source)
    .where("generation", "=", ref.generation)
    .where("state", "=", "parked")
    .executeTakeFirstOrThrow()
  if (entries > BigInt(limit)) throw tooManyParked(newest, limit)
}

/** So many that no record is bad but the stream: parking goes on no longer. */
export function tooManyParked(newest: ParkedChange, limit: number): EngineError {
  const { topic, partition, offset } = newest.raw
  return new EngineError(
    "too-many-dead-letters",
    `More than ${limit} changes are parked: not a record but the stream is bad. The newest is ${topic}[${partition}]@${offset} (${newest.error.code}).`,
    {
      nextStep:
        "Nothing after them is applied. Find out what they have in common (npx lockstep dlq list), mend it, and redrive or discard them; DEAD_LETTER_LIMIT raises the limit.",
      detail: { topic, partition, offset: String(offset), newest: newest.error.code },
    },
  )
}

async function parkChange(
  trx: Transaction_<QueryDatabase>,
  ref: GenerationRef,
  { raw, table, key, place, error }: ParkedChange,
): Promise<void> {
  await trx
    .insertInto("cdc.dead_letters")
    .values({
      source: ref.source,
      generation: ref.generation,
      topic: raw.topic,
      partition: raw.partition,
      kafka_offset: raw.offset,
      record_key: raw.key,
      record_value: raw.value,
      record_headers: JSON.stringify(
        Object.fromEntries(
          Object.entries(raw.headers).map(([name, value]) => [name, value?.toString("base64")]),
        ),
      ),
      table_name: table,
      row_key: key?.map(String) ?? null,
      xid: place && BigInt(place.xid),
      lsn: place?.lsn ?? null,
      commit_lsn: place?.commitLsn ?? null,
      previous_commit_lsn: null,
      is_placed: place !== null,
      code: error.code,
      message: error.message,
      last_error: null,
      last_request: null,
      resolved_at: null,
      published_at: null,
    })
    // Read again after a restart.
    .onConflict((conflict) =>
      conflict.columns(["source", "generation", "topic", "partition", "kafka_offset"]).doNothing(),
    )
    .execute()
}

/** Notes what became known about a parked record that could not be read. It may be read again: what was known stays. */
async function place(
  trx: Transaction_<QueryDatabase>,
  ref: GenerationRef,
  { origin, missedBy, wasApplied }: Placement,
): Promise<void> {
  await trx
    .updateTable("cdc.dead_letters")
    .set({
      is_placed: true,
      ...(missedBy && {
        commit_lsn: missedBy.commitLsn,
        previous_commit_lsn: missedBy.previousCommitLsn,
      }),
      ...(wasApplied ? { state: "superseded", resolved_at: new Date() } : {}),
    })
    .where("source", "=", ref.source)
    .where("generation", "=", ref.generation)
    .where("topic", "=", origin.topic)
    .where("partition", "=", origin.partition)
    .where("kafka_offset", "=", origin.offset)
    .where("is_placed", "=", false)
    .execute()
}

/** What a follower must know of the entries that are parked when it begins. */
export async function readParked(
  db: Kysely<QueryDatabase>,
  ref: GenerationRef,
): Promise<{ rows: Set<string>; unplaced: { origin: Origin; table: string }[] }> {
  const entries = await db
    .selectFrom("cdc.dead_letters")
    .select(["topic", "partition", "kafka_offset", "table_name", "row_key", "is_placed", "state"])
    .where("source", "=", ref.source)
    .where("generation", "=", ref.generation)
    .where((eb) => eb.or([eb("state", "=", "parked"), eb("is_placed", "=", false)]))
    .orderBy("id")
    .execute()
  return {
    rows: new Set(
      entries
        .filter(({ state }) => state === "parked")
        .flatMap(({ table_name, row_key }) => (row_key ? [rowName(table_name, row_key)] : [])),
    ),
    unplaced: entries
      .filter(({ is_placed }) => !is_placed)
      .map(({ topic, partition, kafka_offset, table_name }) => ({
        origin: { topic, partition, offset: kafka_offset },
        table: table_name,
      })),
  }
}

/** A fresh generation holds what was parked in the one before: its base was copied from the rows themselves. */
export async function settleByBaseLoad(
  trx: Transaction_<QueryDatabase>,
  { source, generation }: GenerationRef,
): Promise<void> {
  await trx
    .updateTable("cdc.dead_letters")
    .set({ state: "superseded", resolved_at: new Date() })
    .where("source", "=", source)
    .where("generation", "!=", generation)
    .where("state", "=", "parked")
    .execute()
}
