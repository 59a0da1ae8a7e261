// Part of step 4 (apply): parks row changes that could not be applied as dead letters, in the transaction that moves
// the position past them. From then on the read models are the prefix minus these changes, and answers say so.
import type { Kysely, Transaction as Transaction_ } from "kysely"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import type { GenerationRef } from "../lease/progress.ts"
import { type DeadLetter, keyText, type Origin, type Value } from "../vocabulary/change.ts"
import { EngineError } from "../vocabulary/errors.ts"
import type { Lsn } from "../vocabulary/lsn.ts"

/**
 * A finding about the dead letter of an unreadable record. `missedBy` names the transaction that misses this record, or
 * another unreadable record of the same table; null says that no transaction misses the record any more.
 */
export type Placement = {
  origin: Origin
  missedBy: { commitLsn: Lsn; previousCommitLsn: Lsn } | null
  /** The record is only read again, and its transaction was applied before: no row is missing. */
  wasApplied: boolean
}

/** Rows that have a dead letter, as `rowName` names them. */
export type DeadLetterRows = ReadonlySet<string>

export const rowName = (table: string, key: readonly Value[]): string =>
  `${table}|${keyText(key.map(String))}`

export type Parking = {
  changes: readonly DeadLetter[]
  placements: readonly Placement[]
  /** Rows that had a dead letter before this step. */
  rows: DeadLetterRows
  /** The most dead letters: beyond this limit the stream is bad, and not a record. */
  limit: number
}

/** Stores the dead letters and the findings of a step. @throws EngineError (halt) beyond the limit. */
export async function park(
  trx: Transaction_<QueryDatabase>,
  ref: GenerationRef,
  parking: Parking,
): Promise<void> {
  for (const change of parking.changes) await parkChange(trx, ref, change)
  for (const placement of parking.placements) await notePlacement(trx, ref, placement)
  const newest = parking.changes.at(-1)
  if (newest) await assertFew(trx, ref, newest, parking.limit)
}

/** The rows that have a dead letter once a step is applied. */
export const deadLetterRowsAfter = ({ rows, changes }: Parking): DeadLetterRows =>
  new Set([...rows, ...changes.flatMap(({ table, key }) => (key ? [rowName(table, key)] : []))])

async function assertFew(
  trx: Transaction_<QueryDatabase>,
  ref: GenerationRef,
  newest: DeadLetter,
  limit: number,
): Promise<void> {
  const { entries } = await trx
    .selectFrom("cdc.dead_letters")
    .select((eb) => eb.fn.countAll<bigint>().as("entries"))
    .where("source", "=", ref.source)
    .where("generation", "=", ref.generation)
    .where("state", "=", "parked")
    .executeTakeFirstOrThrow()
  if (entries > BigInt(limit)) throw tooManyDeadLetters(newest, limit)
}

/** There are so many dead letters that the stream is bad, and not a record: parking ends. */
export function tooManyDeadLetters(newest: DeadLetter, limit: number): EngineError {
  const { topic, partition, offset } = newest.raw
  return new EngineError(
    "too-many-dead-letters",
    `More than ${limit} changes are dead letters: the stream is bad, not a record. The newest is ${topic}[${partition}]@${offset} (${newest.error.code}).`,
    {
      nextStep:
        "No later transaction is applied. Find out what the dead letters have in common (npx lockstep dlq list), mend the cause, and redrive or discard them; DEAD_LETTER_LIMIT raises the limit.",
      detail: { topic, partition, offset: String(offset), newest: newest.error.code },
    },
  )
}

async function parkChange(
  trx: Transaction_<QueryDatabase>,
  ref: GenerationRef,
  { raw, table, key, place, error }: DeadLetter,
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
    // After a restart a record is read again.
    .onConflict((conflict) =>
      conflict.columns(["source", "generation", "topic", "partition", "kafka_offset"]).doNothing(),
    )
    .execute()
}

/** Stores a finding about a dead letter. Its record may be read again: the first finding stays. */
async function notePlacement(
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

/** The dead letters that a follower must know of when it begins. */
export async function readDeadLetters(
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

/** A fresh generation settles older dead letters: its base was copied from the source and holds their changes. */
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
