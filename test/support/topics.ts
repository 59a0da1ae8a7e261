// The topics of a system, as a test reads and disturbs them: every record as it lies there, and copies of records
// written again, byte for byte with key, headers and partition.
import kafkajs from "kafkajs"
import type { OffsetRange } from "../../query/cdc/kafka/client.ts"
import { createKafkaAccess } from "../../query/cdc/kafka/kafka.ts"
import { type RawRecord, splitPartitionKey } from "../../query/cdc/vocabulary/change.ts"
import { uniqueName } from "./databases.ts"
import { quiet } from "./quiet-log.ts"
import { waitFor } from "./wait.ts"

export type Topics = {
  /** How many records were ever written to the topic. */
  length: (topic: string) => Promise<number>
  /** All records of the topics, each partition in its order. */
  readAll: (topics: readonly string[]) => Promise<RawRecord[]>
  /** Writes to the records' own topics and partitions, in the order given; resolves when they are stored. */
  write: (records: readonly TopicRecord[]) => Promise<void>
  /** First offset kept and next offset to be written, by `topic/partition`. */
  ranges: (topics: readonly string[]) => Promise<Map<string, OffsetRange>>
  /** Removes what lies before these offsets, by `topic/partition`, as retention does. */
  expire: (offsets: ReadonlyMap<string, bigint>) => Promise<void>
  /** Changes a setting of a topic; resolves when the broker goes by it. */
  configure: (topic: string, name: string, value: string) => Promise<void>
  close: () => Promise<void>
}

export type TopicRecord = Pick<RawRecord, "topic" | "partition" | "key" | "value" | "headers">

export function createTopics(brokers: string): Topics {
  const clientId = uniqueName("test")
  const options = { brokers: brokers.split(","), clientId }
  const access = createKafkaAccess({ ...options, log: quiet })
  const client = new kafkajs.Kafka({ ...options, logLevel: kafkajs.logLevel.NOTHING })
  const admin = client.admin()
  const producer = client.producer({
    allowAutoTopicCreation: false,
    maxInFlightRequests: 1,
  })
  let connected: Promise<void> | null = null

  /** Asks again: a broker that was busy may have lost its leadership for a moment. */
  async function offsetRanges(topics: readonly string[]): Promise<Map<string, OffsetRange>> {
    let ranges = new Map<string, OffsetRange>()
    await waitFor(async () => {
      ranges = await access.offsetRanges(topics)
      return true
    }, "Kafka tells where the topics end")
    return ranges
  }

  return {
    async length(topic) {
      const ranges = await offsetRanges([topic])
      return [...ranges.values()].reduce((sum, { high }) => sum + Number(high), 0)
    },
    async readAll(topics) {
      const ranges = await offsetRanges(topics)
      const expected = [...ranges.values()].reduce((sum, { low, high }) => sum + Number(high - low), 0)
      const records: RawRecord[] = []
      const reader = access.openReader({
        groupId: uniqueName("test"),
        topics,
        onJoin: () => {},
        onCrash: (error) => {
          throw error
        },
        async onRecords(batch) {
          for (const record of batch) {
            const end = ranges.get(`${record.topic}/${record.partition}`)?.high ?? 0n
            if (record.offset < end) records.push(record)
          }
        },
      })
      await reader.start()
      try {
        await waitFor(() => records.length === expected, `${expected} records are read`, 30_000)
      } finally {
        await reader.stop()
      }
      return records
    },
    async write(records) {
      connected ??= producer.connect()
      await connected
      for (let first = 0; first < records.length; first += recordsAtOnce) {
        const topicMessages = records
          .slice(first, first + recordsAtOnce)
          .map(({ topic, ...message }) => ({ topic, messages: [toMessage(message)] }))
        await producer.sendBatch({ topicMessages })
      }
    },
    ranges: offsetRanges,
    async expire(offsets) {
      await admin.connect()
      try {
        for (const [key, offset] of offsets) {
          const [topic, partition] = splitPartitionKey(key)
          // The client deletes only where it has looked before.
          await admin.fetchTopicOffsets(topic)
          await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] })
        }
      } finally {
        await admin.disconnect()
      }
    },
    async configure(topic, name, value) {
      await admin.connect()
      try {
        await admin.alterConfigs({
          validateOnly: false,
          resources: [
            { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configEntries: [{ name, value }] },
          ],
        })
      } finally {
        await admin.disconnect()
      }
    },
    async close() {
      await access.close()
      await producer.disconnect()
    },
  }
}

const recordsAtOnce = 1_000

const toMessage = ({ partition, key, value, headers }: Omit<TopicRecord, "topic">): kafkajs.Message => ({
  partition,
  key,
  value,
  headers,
})

/** Removes every topic of a connector; a broker with thousands of partitions left would start slowly. */
export async function removeTopics(brokers: string, prefix: string): Promise<void> {
  const client = new kafkajs.Kafka({
    brokers: brokers.split(","),
    clientId: "test",
    logLevel: kafkajs.logLevel.NOTHING,
  })
  const admin = client.admin()
  await admin.connect()
  try {
    const topics = (await admin.listTopics()).filter((topic) =>
      [`${prefix}.`, `__debezium-heartbeat.${prefix}`].some((start) => topic.startsWith(start)),
    )
    if (topics.length > 0) await admin.deleteTopics({ topics, timeout: 30_000 })
  } finally {
    await admin.disconnect()
  }
}
