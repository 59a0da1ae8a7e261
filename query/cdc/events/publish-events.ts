// Step 6 of the flow: sends the events in the outbox to their topic, in the sequence of their ids, every event once. A
// batch goes in one Kafka transaction with a note of its last event, and is marked in the outbox afterwards.
// A publisher opens the producer anew when it takes over, and when it does not know how a sending ended. From then on
// the producer before can commit nothing, so the note says exactly which events were sent. Then, under the lease, the
// publisher marks sent events that were not marked. A publisher that holds the lease at that moment has shut out all
// publishers before it, and a publisher that takes the lease later will shut out this one.
// Example: a process sends events 1 to 40 and dies. The next publisher reads the note 40, marks 1 to 40, sends 41.
import { type Kysely, sql } from "kysely"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import type { TransactionalProducer, TransactionalSending } from "../kafka/transactional-producer.ts"
import { type LeaseRef, underLease } from "../lease/lease.ts"
import type { Outbox } from "../projection/projection.ts"
import { eventId, type OutboxRow, toRecord } from "./cloud-event.ts"

export type EventPublisherDeps = {
  db: Kysely<QueryDatabase>
  lease: LeaseRef
  outbox: Outbox
  topicPrefix: string
  kafka: TransactionalSending
  /** Registers the schema of a topic's values. */
  registerSchema: (topic: string) => Promise<void>
}

export type EventPublisher = {
  /** Sends a batch of waiting events. @returns how many. @throws EngineError or a Postgres error; no event is lost. */
  publish: () => Promise<number>
  close: () => Promise<void>
}

/** The most events in a batch. */
export const mostEvents = 2_000
const batchBytes = 1 << 20

export function createEventPublisher(deps: EventPublisherDeps): EventPublisher {
  const { db, lease, outbox, kafka } = deps
  const { source } = lease
  const topic = `${deps.topicPrefix}.${outbox.topic}`
  const name = `lockstep-${source}-events`
  let producer: TransactionalProducer | null = null

  return { publish, close }

  async function publish(): Promise<number> {
    // As long as no event waits, neither the topic nor the registry is needed.
    if (producer === null && (await readWaiting(db, source)).length === 0) return 0
    try {
      producer ??= await open()
      const rows = await readWaiting(db, source)
      const last = rows.at(-1)
      if (!last) return 0
      await producer.send(
        topic,
        rows.map((row) => toRecord(outbox, row)),
        { last: last.id, name: eventId(last) },
      )
      await mark(rows.map(({ id }) => id))
      return rows.length
    } catch (error) {
      await close()
      throw error
    }
  }

  async function close(): Promise<void> {
    const former = producer
    producer = null
    await former?.close().catch(() => {})
  }

  async function open(): Promise<TransactionalProducer> {
    await deps.registerSchema(topic)
    const opened = await kafka.openTransactional(name)
    try {
      const note = await kafka.readNote(name, topic)
      await underLease(db, lease, async (trx) => {
        if (!note) return
        // A database that was set back may have given this id to another event, which was not sent.
        const known = await sql<OutboxRow>`
          select aggregate, number from cdc.outbox where source = ${source} and id = ${note.last}`.execute(
          trx,
        )
        if (!known.rows[0] || eventId(known.rows[0]) !== note.name) return
        await sql`${marking} and source = ${source} and id <= ${note.last}`.execute(trx)
      })
      return opened
    } catch (error) {
      await opened.close().catch(() => {})
      throw error
    }
  }

  async function mark(ids: readonly bigint[]): Promise<void> {
    await underLease(db, lease, async (trx) => {
      await sql`${marking} and id = any(${ids}::bigint[])`.execute(trx)
    })
  }
}

/** The outbox keeps only the identity of a sent event. */
const marking = sql`
  update cdc.outbox set published_at = clock_timestamp(), data = null, traceparent = null
  where published_at is null`

/** The next batch: at least one event, if any waits, and not many more bytes than `batchBytes`. */
async function readWaiting(db: Kysely<QueryDatabase>, source: string): Promise<OutboxRow[]> {
  const { rows } = await sql<OutboxRow>`
    select id, source, aggregate, number, inferred, type, traceparent, data,
      case when occurred_at >= '0001-01-01' and occurred_at < '9999-12-31'
        then to_char(occurred_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') end as time
    from (
      select id, source, aggregate, number, inferred, type, occurred_at, traceparent, data::text as data,
        sum(octet_length(data::text)) over (order by id) - octet_length(data::text) as bytes_before
      from (
        select * from cdc.outbox where source = ${source} and published_at is null order by id limit ${mostEvents}
      ) next
    ) measured
    where bytes_before < ${batchBytes} order by id`.execute(db)
  return rows
}
