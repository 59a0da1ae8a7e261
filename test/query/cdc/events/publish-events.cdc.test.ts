// Every event is in its topic once, in its sequence, whatever step of the publishing the process dies at and whoever
// sends at the same time. A death is a call that is never answered: what follows it does not happen.
import kafkajs from "kafkajs"
import { afterAll, beforeEach, expect, onTestFinished, test } from "vitest"
import { z } from "zod"
import { ensureTopics, planTopics } from "../../../../connectors/topics.ts"
import { createSchemaRegistering } from "../../../../query/cdc/decode/schema-registry.ts"
import { messageSchema } from "../../../../query/cdc/events/cloud-event.ts"
import { createEventPublisher, type EventPublisher } from "../../../../query/cdc/events/publish-events.ts"
import { createKafkaAccess } from "../../../../query/cdc/kafka/kafka.ts"
import type { TransactionalSending } from "../../../../query/cdc/kafka/transactional-producer.ts"
import type { LeaseRef } from "../../../../query/cdc/lease/lease.ts"
import type { Outbox } from "../../../../query/cdc/projection/projection.ts"
import { orderEvents } from "../../../../query/orders/events.ts"
import { orderProjections } from "../../../../query/orders/projections.ts"
import { readEndpoints } from "../../../stack/endpoints.ts"
import { uniqueName } from "../../../support/databases.ts"
import { eventsIn } from "../../../support/events.ts"
import { quiet } from "../../../support/quiet-log.ts"
import { removeTopics } from "../../../support/topics.ts"
import { givenGeneration, source } from "../given/generation.ts"

const outbox: Outbox = orderEvents
const { kafkaBrokers, registryUrl } = readEndpoints()
const registerSchema = createSchemaRegistering(registryUrl)

const generation = givenGeneration("publish", orderProjections)
const kafka = createKafkaAccess({ brokers: [kafkaBrokers], clientId: uniqueName("publish"), log: quiet })
const client = new kafkajs.Kafka({ brokers: [kafkaBrokers], logLevel: kafkajs.logLevel.NOTHING })
const prefix = uniqueName("publish")
let topicPrefix = ""
let lease: LeaseRef

afterAll(() => kafka.close())
beforeEach(async () => {
  topicPrefix = `${prefix}.${uniqueName("one")}`
  const topics = planTopics({ topicPrefix, captured: [], events: [outbox.topic] })
  await ensureTopics({ brokers: kafkaBrokers, topics })
  await generation.admin.query("truncate cdc.outbox")
  lease = await takeLease()
})
afterAll(() => removeTopics(kafkaBrokers, prefix))

/** As a takeover does it, without ending the connections of the one before: they are the test's own. */
async function takeLease(): Promise<LeaseRef> {
  const { rows } = await generation.admin.query<{ lease_epoch: bigint }>(
    "update cdc.leases set lease_epoch = lease_epoch + 1 returning lease_epoch",
  )
  return { source, leaseEpoch: BigInt(rows[0]?.lease_epoch ?? 0) }
}

const write = (from: number, to: number) =>
  generation.admin.query(
    `insert into cdc.outbox (source, aggregate, number, inferred, type, occurred_at, data, commit_lsn)
     select '${source}', 'o' || n % 7, n::text, false, 'OrderUpdated', now(),
       jsonb_build_object('order_id', 'o' || n % 7, 'version', n, 'payload', '{}'::jsonb), n
     from generate_series(${from}, ${to}) g(n) order by g.n`,
  )

const publisher = (more: { kafka?: TransactionalSending; lease?: LeaseRef } = {}): EventPublisher =>
  createEventPublisher({
    db: generation.db,
    lease: more.lease ?? lease,
    outbox,
    topicPrefix,
    kafka: more.kafka ?? kafka,
    registerSchema: (topic) => registerSchema(`${topic}-value`, messageSchema(outbox)),
  })

async function publishAll(one: EventPublisher): Promise<void> {
  while ((await one.publish()) > 0);
  await one.close()
}

const waiting = async (): Promise<number> =>
  (await generation.admin.query("select count(*)::int as n from cdc.outbox where published_at is null"))
    .rows[0].n

/** The numbers of the events in the topic, by partition in its sequence. */
async function published(): Promise<number[]> {
  const events = await eventsIn(kafkaBrokers, `${topicPrefix}.${outbox.topic}`)
  for (const subject of new Set(events.map((event) => event.subject))) {
    const versions = events
      .filter((event) => event.subject === subject)
      .map(({ data }) => z.object({ version: z.number() }).parse(data).version)
    expect(versions).toEqual([...versions].sort((one, other) => one - other))
  }
  return events.map(({ id }) => Number(id.split("/")[1])).sort((a, b) => a - b)
}
const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1)

test("what waits is sent in batches, marked, and kept by its identity alone", async () => {
  await write(1, 1_200)
  await publishAll(publisher())
  expect(await published()).toEqual(upTo(1_200))
  expect(await waiting()).toBe(0)
  const { rows } = await generation.admin.query(
    "select count(*)::int as rows, count(data)::int as data from cdc.outbox",
  )
  expect(rows).toEqual([{ rows: 1_200, data: 0 }])
})

/** Never answers, so that nothing after it happens. */
const death = () => new Promise<never>(() => {})

const steps = [
  "before the producer is opened",
  "before it sends",
  "before it has committed",
  "after it has committed",
  "after it has marked",
] as const

test.each(steps)(
  "a process that dies %s leaves the rest to its successor, and nothing twice",
  async (step) => {
    await write(1, 2_600)
    let reached = (): void => {}
    const dead = new Promise<void>((resolve) => {
      reached = resolve
    })
    const die = (): Promise<never> => {
      reached()
      return death()
    }
    const dying: TransactionalSending = {
      readNote: kafka.readNote,
      async openTransactional(name) {
        if (step === "before the producer is opened") return await die()
        const opened = await kafka.openTransactional(name)
        const abandoned = client.producer({ transactionalId: name, idempotent: true, maxInFlightRequests: 1 })
        await abandoned.connect()
        onTestFinished(() => abandoned.disconnect())
        let sent = 0
        return {
          async send(topic, records, note) {
            if (step === "before it sends") return await die()
            if (step === "before it has committed") {
              await (await abandoned.transaction()).send({ topic, messages: [...records] })
              return await die()
            }
            if (step === "after it has marked" && sent++ > 0) return await die()
            await opened.send(topic, records, note)
            if (step === "after it has committed") return await die()
          },
          close: opened.close,
        }
      },
    }
    const first = publisher({ kafka: dying })
    await Promise.race([dead, publishAll(first)])
    lease = await takeLease()
    await write(2_601, 2_700)
    await publishAll(publisher())
    expect(await published()).toEqual(upTo(2_700))
    expect(await waiting()).toBe(0)
  },
)

test("a sender that wakes up after a takeover can send nothing", async () => {
  await write(1, 10)
  let wake = (): void => {}
  const asleep = new Promise<void>((resolve) => {
    wake = resolve
  })
  let reached = (): void => {}
  const stopped = new Promise<void>((resolve) => {
    reached = resolve
  })
  const sleeping: TransactionalSending = {
    readNote: kafka.readNote,
    async openTransactional(name) {
      const opened = await kafka.openTransactional(name)
      return {
        async send(topic, records, note) {
          reached()
          await asleep
          await opened.send(topic, records, note)
        },
        close: opened.close,
      }
    },
  }
  const former = publisher({ kafka: sleeping }).publish()
  const outcome = former.then(
    () => "sent",
    () => "refused",
  )
  await stopped
  const successor = publisher({ lease: await takeLease() })
  expect(await successor.publish()).toBe(10)
  wake()
  expect(await outcome).toBe("refused")
  await successor.close()
  expect(await published()).toEqual(upTo(10))
})

test("a sender without the lease sends nothing, and the holder goes on after it has tried", async () => {
  await write(1, 10)
  const without = lease
  const holder = publisher({ lease: await takeLease() })
  await holder.publish()
  await write(11, 20)
  await expect(publisher({ lease: without }).publish()).rejects.toThrow("Another projector")
  await holder.publish().catch(() => {})
  await publishAll(holder)
  expect(await published()).toEqual(upTo(20))
})

test("after the database was set back no new event is taken for a sent one", async () => {
  await write(1, 10)
  await publishAll(publisher())
  await generation.admin.query("truncate cdc.outbox restart identity")
  await write(101, 120)
  lease = await takeLease()
  await publishAll(publisher())
  expect(await published()).toEqual([...upTo(10), ...upTo(20).map((one) => one + 100)])
})

test("the schema of the topic is in the registry", async () => {
  await write(1, 1)
  await publishAll(publisher())
  const subject = `${topicPrefix}.${outbox.topic}-value`
  const answer = await fetch(new URL(`/apis/ccompat/v7/subjects/${subject}/versions/latest`, registryUrl))
  const { schemaType, schema } = z
    .object({ schemaType: z.string(), schema: z.string() })
    .parse(await answer.json())
  expect(schemaType).toBe("JSON")
  expect(JSON.parse(schema)).toEqual(JSON.parse(JSON.stringify(messageSchema(outbox))))
  const [event] = await eventsIn(kafkaBrokers, `${topicPrefix}.${outbox.topic}`)
  expect(z.fromJSONSchema(JSON.parse(schema)).safeParse(event).error).toBeUndefined()
})
