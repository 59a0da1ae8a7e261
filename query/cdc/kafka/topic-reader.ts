// Part of step 1: reads topics as a member of a consumer group.
// The client keeps one fetch per consumer and tells little: it may deliver an older batch after a seek, never says
// that a partition was taken away, and restarts for ever. So readers hand every record to the intake, which keeps
// the expected offset of each partition, and a crash of the client ends the reader.

import type kafkajs from "kafkajs"
import type { RawRecord } from "../vocabulary/change.ts"
import { kafkaFault } from "../vocabulary/errors.ts"
import { goodbye } from "./client.ts"

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

const longPollMs = 100

export function openReader(kafka: kafkajs.Kafka, reader: TopicReaderOptions): TopicReader {
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
    start: () =>
      begin().catch((cause: unknown) => {
        const message = cause instanceof Error ? cause.message : String(cause)
        throw kafkaFault(`Reading from Kafka cannot begin: ${message}.`, cause)
      }),
    seek: (topic, partition, offset) => consumer.seek({ topic, partition, offset: String(offset) }),
    pause: (topic, partition) => consumer.pause([{ topic, partitions: [partition] }]),
    resume: (topic, partition) => consumer.resume([{ topic, partitions: [partition] }]),
    stop: () => goodbye(consumer.disconnect()),
  }

  async function begin(): Promise<void> {
    await consumer.connect()
    await consumer.subscribe({ topics: [...reader.topics], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: true,
      eachBatch: ({ batch }) =>
        reader.onRecords(batch.messages.map((message) => toRawRecord(batch.topic, batch.partition, message))),
    })
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
