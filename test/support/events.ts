// The domain events in a topic as a consumer sees them: of committed transactions only, each partition in its order.
import kafkajs from "kafkajs"
import { z } from "zod"
import { uniqueName } from "./databases.ts"
import { waitFor } from "./wait.ts"

const eventShape = z.looseObject({
  id: z.string(),
  type: z.string(),
  subject: z.string(),
  inferred: z.boolean(),
  data: z.record(z.string(), z.unknown()),
})
export type DomainEvent = z.infer<typeof eventShape>

/** All that are in the topic now, read until its end was reached in every partition. */
export async function eventsIn(brokers: string, topic: string): Promise<DomainEvent[]> {
  const client = new kafkajs.Kafka({
    brokers: brokers.split(","),
    clientId: uniqueName("consumer"),
    logLevel: kafkajs.logLevel.NOTHING,
  })
  const admin = client.admin()
  await admin.connect()
  const ends = await admin.fetchTopicOffsets(topic)
  await admin.disconnect()
  const open = new Map(
    ends.filter(({ low, high }) => low !== high).map(({ partition, high }) => [partition, BigInt(high)]),
  )
  const events: DomainEvent[] = []
  const consumer = client.consumer({ groupId: uniqueName("consumer"), maxWaitTimeInMs: 100 })
  await consumer.connect()
  try {
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        for (const { key, value } of batch.messages) {
          const event = eventShape.parse(JSON.parse(value?.toString() ?? ""))
          if (key?.toString() !== event.subject) throw new Error(`${event.id} has the key ${key?.toString()}`)
          events.push(event)
        }
        // The end of a transaction is a record, too, which the client does not show.
        if (BigInt(batch.lastOffset()) + 2n >= (open.get(batch.partition) ?? 0n)) open.delete(batch.partition)
      },
    })
    await waitFor(() => open.size === 0, `${topic} is read to its end`, 30_000)
  } finally {
    await consumer.disconnect()
  }
  return events
}
