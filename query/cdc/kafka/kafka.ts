// Step 1 of the flow: reading topics. With transactional-producer.ts the only file of the read side that imports the
// Kafka client.
// The client keeps one fetch per consumer and tells little: it may deliver an older batch after a seek, never says
// that a partition was taken away, and restarts for ever. So readers hand everything to the follower, which keeps
// the expected offset of each partition, and a crash of the client ends the reader.
import { setTimeout as sleep } from "node:timers/promises"
import kafkajs from "kafkajs"
import type { Logger } from "pino"
import { partitionKey, type RawRecord, splitPartitionKey } from "../vocabulary/change.ts"
import { kafkaFault } from "../vocabulary/errors.ts"
import { createRecordReading } from "./record-reading.ts"
import { createTransactionalSending } from "./transactional-producer.ts"

const { Kafka, logLevel } = kafkajs

export type TopicReader = {
  /** Resolves once the reader is subscribed; `onJoin` follows, then records. */
  start: () => Promise<void>
  seek: (topic: string, partition: number, offset: bigint) => void
  pause: (topic: string, partition: number) => void
  resume: (topic: string, partition: number) => void
  stop: () => Promise<void>
}

export type TopicReaderOptions = {
  groupId: string
  topics: readonly string[]
  /** The group was (re)joined: positions are lost, seek now. */
  onJoin: () => void
  onRecords: (records: readonly RawRecord[]) => Promise<void>
  onCrash: (error: Error) => void
}

export type OutgoingRecord = { key: Buffer | null; value: Buffer | null; headers: Record<string, string> }

export type OffsetRange = { low: bigint; high: bigint }

/** A record goes with its whole segment: `segmentMs` after it was written that is full at the latest. -1: never. */
export type Retention = { retentionMs: number; segmentMs: number }

export type KafkaAccess = ReturnType<typeof createKafkaAccess>

const longPollMs = 100
/** As long as the commit log is kept. */
const sentRecordsKeptMs = 14 * 24 * 3_600_000
const goodbyeMs = 3_000

export function createKafkaAccess(options: { brokers: readonly string[]; clientId: string; log: Logger }) {
  const kafka = new Kafka({
    brokers: [...options.brokers],
    clientId: options.clientId,
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => options.log.debug({ kafka: entry.log }, entry.log.message),
    connectionTimeout: 3_000,
    // A broker that takes requests and answers none is left for a new connection after this.
    requestTimeout: 10_000,
    retry: { initialRetryTime: 200, maxRetryTime: 5_000, retries: 5 },
  })
  const admin = kafka.admin()
  let connected: Promise<void> | null = null
  let lagMember: Promise<kafkajs.Consumer> | null = null
  let producer: Promise<kafkajs.Producer> | null = null

  async function withAdmin<Result>(ask: () => Promise<Result>): Promise<Result> {
    try {
      connected ??= admin.connect()
      await connected
      return await ask()
    } catch (cause) {
      connected = null
      const message = cause instanceof Error ? cause.message : String(cause)
      throw kafkaFault(`Kafka does not answer: ${message}.`, cause)
    }
  }

  /** First offset kept and next offset to be written, by `topic/partition`. */
  async function offsetRanges(topics: readonly string[]): Promise<Map<string, OffsetRange>> {
    return await withAdmin(async () => {
      const ranges = new Map<string, OffsetRange>()
      const answers = await Promise.all(topics.map((topic) => admin.fetchTopicOffsets(topic)))
      answers.forEach((partitions, index) => {
        for (const { partition, low, high } of partitions) {
          ranges.set(partitionKey(topics[index] ?? "", partition), { low: BigInt(low), high: BigInt(high) })
        }
      })
      return ranges
    })
  }

  /** How long each of the topics keeps its records; a topic that is not there is left out. */
  async function retentions(topics: readonly string[]): Promise<Map<string, Retention>> {
    return await withAdmin(async () => {
      const there = new Set(await admin.listTopics())
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: topics
          .filter((topic) => there.has(topic))
          .map((name) => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name })),
      })
      return new Map(
        resources.map(({ resourceName, configEntries }) => {
          const number = (name: string) =>
            Number(configEntries.find(({ configName }) => configName === name)?.configValue ?? -1)
          return [resourceName, { retentionMs: number("retention.ms"), segmentMs: number("segment.ms") }]
        }),
      )
    })
  }

  function openReader(reader: TopicReaderOptions): TopicReader {
    const consumer = kafka.consumer({
      groupId: reader.groupId,
      sessionTimeout: 10_000,
      heartbeatInterval: 2_000,
      maxWaitTimeInMs: longPollMs,
      minBytes: 1,
      // Small, so that one fetch brings a share of every partition: the head of the line needs rows of many.
      maxBytesPerPartition: 256 << 10,
      maxBytes: 32 << 20,
      allowAutoTopicCreation: false,
      retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 5, restartOnFailure: async () => false },
    })
    consumer.on(consumer.events.GROUP_JOIN, () => reader.onJoin())
    consumer.on(consumer.events.CRASH, ({ payload }) => reader.onCrash(payload.error))
    return {
      async start() {
        await consumer.connect()
        await consumer.subscribe({ topics: [...reader.topics], fromBeginning: true })
        await consumer.run({
          autoCommit: false,
          eachBatchAutoResolve: true,
          eachBatch: ({ batch }) =>
            reader.onRecords(
              batch.messages.map((message) => toRawRecord(batch.topic, batch.partition, message)),
            ),
        })
      },
      seek: (topic, partition, offset) => consumer.seek({ topic, partition, offset: String(offset) }),
      pause: (topic, partition) => consumer.pause([{ topic, partitions: [partition] }]),
      resume: (topic, partition) => consumer.resume([{ topic, partitions: [partition] }]),
      stop: () => goodbye(consumer.disconnect()),
    }
  }

  /**
   * Commits offsets to a group in which nobody reads. Nothing reads them back: they are there for the tools that show
   * lag. `offsets` are the next to read, by `topic/partition`; the group must always be the same one.
   */
  async function publishOffsets(groupId: string, offsets: ReadonlyMap<string, bigint>): Promise<void> {
    const topicOffsets = [...offsets].map(([key, offset]) => {
      const [topic, partition] = splitPartitionKey(key)
      return { topic, partition, offset: String(offset) }
    })
    const topic = topicOffsets[0]?.topic
    if (topic === undefined) return
    lagMember ??= joinWithoutReading(groupId, topic)
    const member = lagMember
    try {
      await (await member).commitOffsets(topicOffsets)
    } catch (error) {
      if (lagMember === member) lagMember = null
      await member.then((consumer) => consumer.disconnect()).catch(() => {})
      throw error
    }
  }

  /**
   * Appends records to a one-partition topic, which is made if it is not there. Resolves when all brokers that must
   * have them do.
   */
  async function send(topic: string, records: readonly OutgoingRecord[]): Promise<void> {
    try {
      producer ??= openProducer(topic)
      await (await producer).send({ topic, acks: -1, messages: [...records] })
    } catch (cause) {
      const failed = producer
      producer = null
      await failed?.then((connected) => connected.disconnect()).catch(() => {})
      const message = cause instanceof Error ? cause.message : String(cause)
      throw kafkaFault(`Kafka did not take records for ${topic}: ${message}.`, cause)
    }
  }

  async function openProducer(topic: string): Promise<kafkajs.Producer> {
    const configEntries = [{ name: "retention.ms", value: String(sentRecordsKeptMs) }]
    await withAdmin(() =>
      admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: -1, configEntries }] }),
    )
    const opened = kafka.producer({ allowAutoTopicCreation: false, maxInFlightRequests: 1, idempotent: true })
    await opened.connect()
    return opened
  }

  /** Only a member may commit, so this is one. (`admin.setOffsets` joins and leaves again for every topic.) */
  async function joinWithoutReading(groupId: string, topic: string): Promise<kafkajs.Consumer> {
    const consumer = kafka.consumer({
      groupId,
      sessionTimeout: 10_000,
      heartbeatInterval: 2_000,
      maxWaitTimeInMs: 500,
      allowAutoTopicCreation: false,
      retry: { retries: 2, restartOnFailure: async () => false },
    })
    await consumer.connect()
    await consumer.subscribe({ topics: [topic] })
    const running = consumer.run({ autoCommit: false, eachBatch: async () => {} })
    consumer.pause([{ topic }])
    await running
    return consumer
  }

  return {
    openReader,
    publishOffsets,
    offsetRanges,
    retentions,
    ...createRecordReading({ openReader, offsetRanges, clientId: options.clientId }),
    send,
    ...createTransactionalSending(kafka, withAdmin, admin),
    async close(): Promise<void> {
      const members = [
        lagMember?.then((consumer) => consumer.disconnect()),
        producer?.then((opened) => opened.disconnect()),
        admin.disconnect(),
      ]
      await Promise.all(members.map(goodbye))
    },
  }
}

/** A broker that does not answer is left without its answer; the client goes on leaving by itself. */
async function goodbye(leaving: Promise<void> | undefined): Promise<void> {
  await Promise.race([leaving?.catch(() => {}), sleep(goodbyeMs, undefined, { ref: false })])
}

function toRawRecord(topic: string, partition: number, message: kafkajs.KafkaMessage): RawRecord {
  const headers: Record<string, Buffer | undefined> = {}
  for (const [name, value] of Object.entries(message.headers ?? {})) {
    const first = Array.isArray(value) ? value[0] : value
    headers[name] = typeof first === "string" ? Buffer.from(first) : first
  }
  return { topic, partition, offset: BigInt(message.offset), key: message.key, value: message.value, headers }
}
