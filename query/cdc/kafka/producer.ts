// Part of step 6: appends records to a topic of this side, such as the dead letters, which is made when it is not there.
import type kafkajs from "kafkajs"
import { kafkaFault } from "../vocabulary/errors.ts"
import type { KafkaClient } from "./client.ts"

export type OutgoingRecord = { key: Buffer | null; value: Buffer | null; headers: Record<string, string> }

/** As long as the commit log is kept. */
const sentRecordsKeptMs = 14 * 24 * 3_600_000

export function createSending({ kafka, withAdmin }: Pick<KafkaClient, "kafka" | "withAdmin">) {
  let producer: Promise<kafkajs.Producer> | null = null

  return {
    send,
    close: async (): Promise<void> => await (await producer)?.disconnect(),
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
    await withAdmin((admin) =>
      admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: -1, configEntries }] }),
    )
    const opened = kafka.producer({ allowAutoTopicCreation: false, maxInFlightRequests: 1, idempotent: true })
    await opened.connect()
    return opened
  }
}
