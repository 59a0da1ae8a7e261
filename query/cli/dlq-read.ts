// Reads dead letters for people. Error messages of Postgres quote values, and rows hold personal data: both are
// masked unless the operator asks to see them.
import type { Kysely } from "kysely"
import type { QueryDatabase } from "../../db/query-schema.ts"
import { type DeadLetterFilter, fits } from "../cdc/dead-letters/stored-dead-letter.ts"
import { originText } from "../cdc/vocabulary/change.ts"

export type DeadLetterLine = {
  id: string
  table: string
  key: string[] | null
  code: string
  message: string
  origin: string
  attempts: number
  parkedAt: string
  generation: number
}

/** Dead letters of every generation that still has dead letters, oldest first. */
export async function listDeadLetters(
  db: Kysely<QueryDatabase>,
  source: string,
  filter: DeadLetterFilter & { state: string; limit: number },
): Promise<{ total: number; entries: DeadLetterLine[] }> {
  const query = db
    .selectFrom("cdc.dead_letters")
    .where("source", "=", source)
    .where((eb) => eb(eb.cast<string>("state", "text"), "=", filter.state))
    .where(fits(filter))
  const { total } = await query.select((eb) => eb.fn.countAll<bigint>().as("total")).executeTakeFirstOrThrow()
  const rows = await query.selectAll().orderBy("id").limit(filter.limit).execute()
  return {
    total: Number(total),
    entries: rows.map((row) => ({
      id: String(row.id),
      table: row.table_name,
      key: row.row_key,
      code: row.code,
      message: maskQuoted(row.last_error ?? row.message),
      origin: originText({ ...row, offset: row.kafka_offset }),
      attempts: row.attempts,
      parkedAt: row.parked_at.toISOString(),
      generation: row.generation,
    })),
  }
}

export const describeDeadLetter = (entry: DeadLetterLine): string =>
  `${entry.id}  ${entry.table}(${entry.key?.join(", ") ?? "?"})  ${entry.code}  ${entry.origin}  ${entry.parkedAt}  ${entry.message}`

/** One dead letter, with its bytes and quoted values only under `reveal`; null when it does not exist. */
export async function showDeadLetter(
  db: Kysely<QueryDatabase>,
  source: string,
  id: bigint,
  reveal: boolean,
): Promise<Record<string, unknown> | null> {
  const row = await db
    .selectFrom("cdc.dead_letters")
    .selectAll()
    .where("source", "=", source)
    .where("id", "=", id)
    .executeTakeFirst()
  if (!row) return null
  const bytes = (value: Buffer | null): string | null =>
    value === null ? null : reveal ? value.toString("base64") : `*** (${value.length} bytes)`
  const words = (text: string | null): string | null => (text === null || reveal ? text : maskQuoted(text))
  return {
    id: String(row.id),
    state: row.state,
    code: row.code,
    message: words(row.message),
    table: row.table_name,
    key: row.row_key,
    topic: row.topic,
    partition: row.partition,
    offset: String(row.kafka_offset),
    generation: row.generation,
    xid: row.xid === null ? null : String(row.xid),
    lsn: row.lsn === null ? null : String(row.lsn),
    commitLsn: row.commit_lsn === null ? null : String(row.commit_lsn),
    attempts: row.attempts,
    lastError: words(row.last_error),
    parkedAt: row.parked_at.toISOString(),
    resolvedAt: row.resolved_at?.toISOString() ?? null,
    publishedAt: row.published_at?.toISOString() ?? null,
    recordKey: bytes(row.record_key),
    recordValue: bytes(row.record_value),
  }
}

/** Masks quoted text: a text that a message quotes may be a row's value. */
export const maskQuoted = (text: string): string => text.replaceAll(/"[^"]*"/g, '"***"')
