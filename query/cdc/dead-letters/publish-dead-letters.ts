// Publishes dead letters: the record of each goes to `<prefix>.dead-letters` as it came, with its origin in the
// headers. The dead letter itself is the row in the database. The published copy is sent at least once, and a Kafka
// that does not take it holds up nothing.
import type { Kysely } from "kysely"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import type { KafkaAccess } from "../kafka/kafka.ts"
import { type LeaseRef, underLease } from "../lease/lease.ts"
import { deadLetterTopic } from "../vocabulary/topics.ts"

const batchEntries = 100

/** Sends dead letters that were not sent yet. @returns how many. @throws EngineError (retry) when Kafka refuses. */
export async function publishDeadLetters(
  db: Kysely<QueryDatabase>,
  lease: LeaseRef,
  kafka: Pick<KafkaAccess, "send">,
  topicPrefix: string,
): Promise<number> {
  const { source } = lease
  const entries = await db
    .selectFrom("cdc.dead_letters")
    .select([
      "id",
      "generation",
      "topic",
      "partition",
      "kafka_offset",
      "record_key",
      "record_value",
      "code",
      "commit_lsn",
      "parked_at",
    ])
    .where("source", "=", source)
    .where("published_at", "is", null)
    .orderBy("id")
    .limit(batchEntries)
    .execute()
  if (entries.length === 0) return 0
  // People grep headers, and headers hold no personal data: so they have no error message and no key of a row.
  await kafka.send(
    deadLetterTopic(topicPrefix),
    entries.map((entry) => ({
      key: entry.record_key,
      value: entry.record_value,
      headers: {
        "lockstep.dead-letter.id": String(entry.id),
        "lockstep.source": source,
        "lockstep.generation": String(entry.generation),
        "lockstep.origin.topic": entry.topic,
        "lockstep.origin.partition": String(entry.partition),
        "lockstep.origin.offset": String(entry.kafka_offset),
        "lockstep.error.code": entry.code,
        "lockstep.parked-at": entry.parked_at.toISOString(),
        ...(entry.commit_lsn === null ? {} : { "lockstep.commit-lsn": String(entry.commit_lsn) }),
      },
    })),
  )
  const ids = entries.map(({ id }) => id)
  await underLease(db, lease, async (trx) => {
    await trx
      .updateTable("cdc.dead_letters")
      .set({ published_at: new Date() })
      .where("id", "in", ids)
      .execute()
  })
  return entries.length
}
