// Step 1 of the flow: reading topics. The only file of the read side that imports the Kafka client.
// The client keeps one fetch per consumer and tells little: it may deliver an older batch after a seek, never says
// that a partition was taken away, and restarts for ever. So readers hand everything to the follower, which keeps
// the expected offset of each partition, and a crash of the client ends the reader.
import kafkajs from "kafkajs"
import type { Logger } from "pino"
import { partitionKey } from "./change.ts"
import type { RawRecord } from "./decode.ts"
import { EngineError } from "./errors.ts"

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

export type OffsetRange = { low: bigint; high: bigint }

export type KafkaAccess = ReturnType<typeof createKafkaAccess>

const longPollMs = 100

/** Topic and partition of a `topic/partition` key. */
export function splitPartitionKey(key: string): [topic: string, partition: number] {
  const slash = key.lastIndexOf("/")
  return [key.slice(0, slash), Number(key.slice(slash + 1))]
}

export function createKafkaAccess(options: { brokers: readonly string[]; clientId: string; log: Logger }) {
  const kafka = new Kafka({
    brokers: [...options.brokers],
    clientId: options.clientId,
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => options.log.debug({ kafka: entry.log }, entry.log.message),
    retry: { initialRetryTime: 200, maxRetryTime: 5_000, retries: 5 },
  })
  const admin = kafka.admin()
  let connected: Promise<void> | null = null
  let lagMember: Promise<kafkajs.Consumer> | null = null

  async function withAdmin<Result>(ask: () => Promise<Result>): Promise<Result> {
    try {
      connected ??= admin.connect()
      await connected
      return await ask()
    } catch (cause) {
      connected = null
      const message = cause instanceof Error ? cause.message : String(cause)
      throw new EngineError("dependency-down", `Kafka does not answer: ${message}`, { cause })
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
      stop: () => consumer.disconnect(),
    }
  }

  /** The last `count` records of a one-partition topic, oldest first. */
  async function readTail(topic: string, count: number): Promise<RawRecord[]> {
    const range = (await offsetRanges([topic])).get(partitionKey(topic, 0))
    if (!range || range.high === range.low) return []
    const from = range.high - BigInt(count) > range.low ? range.high - BigInt(count) : range.low
    const tail: RawRecord[] = []
    const { promise, resolve, reject } = withResolvers()
    const reader = openReader({
      groupId: `${options.clientId}-tail-${topic}`,
      topics: [topic],
      onJoin: () => reader.seek(topic, 0, from),
      onCrash: reject,
      async onRecords(records) {
        for (const record of records) {
          if (record.offset === from + BigInt(tail.length) && record.offset < range.high) tail.push(record)
        }
        if (from + BigInt(tail.length) >= range.high) resolve()
      },
    })
    try {
      await reader.start()
      await promise
    } finally {
      await reader.stop()
    }
    return tail
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
    readTail,
    async close(): Promise<void> {
      await lagMember?.then((consumer) => consumer.disconnect()).catch(() => {})
      await admin.disconnect()
    },
  }
}

function toRawRecord(topic: string, partition: number, message: kafkajs.KafkaMessage): RawRecord {
  const headers: Record<string, Buffer | undefined> = {}
  for (const [name, value] of Object.entries(message.headers ?? {})) {
    const first = Array.isArray(value) ? value[0] : value
    headers[name] = typeof first === "string" ? Buffer.from(first) : first
  }
  return { topic, partition, offset: BigInt(message.offset), key: message.key, value: message.value, headers }
}

function withResolvers() {
  let resolve = (): void => {}
  let reject = (_error: Error): void => {}
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise, resolve, reject }
}
