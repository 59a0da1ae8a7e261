// Sends records so that all of a batch are in Kafka or none, together with a note of how far the sender is, which the
// next sender finds. Opening a producer ends what one of the same name has open: it can send nothing any more.
import { kafkaFault } from "../vocabulary/errors.ts"
import type { KafkaClient } from "./client.ts"
import type { OutgoingRecord } from "./producer.ts"

export type TransactionalProducer = {
  /**
   * Resolves when all records and the note are committed.
   * @throws EngineError; whether they are is then known to the next producer of the name alone. Close this one.
   */
  send: (topic: string, records: readonly OutgoingRecord[], note: Note) => Promise<void>
  close: () => Promise<void>
}

/** How far the sender is. It is kept as the offset of a group in which nobody reads. */
export type Note = { last: bigint; name: string }

/** Open transactions of a sender that is gone hold up readers for so long, unless a successor opens before. */
const transactionTimeoutMs = 15_000

export type TransactionalSending = {
  openTransactional: (name: string) => Promise<TransactionalProducer>
  /** The note of the last batch sent to the topic under the name; null when there is none. */
  readNote: (name: string, topic: string) => Promise<Note | null>
}

export function createTransactionalSending({
  kafka,
  withAdmin,
}: Pick<KafkaClient, "kafka" | "withAdmin">): TransactionalSending {
  return {
    async openTransactional(name) {
      const producer = kafka.producer({
        transactionalId: name,
        idempotent: true,
        maxInFlightRequests: 1,
        allowAutoTopicCreation: false,
        transactionTimeout: transactionTimeoutMs,
      })
      try {
        await producer.connect()
        // The client asks for the producer's epoch, which is what shuts out the one before, when a transaction begins.
        await (await producer.transaction()).abort()
      } catch (cause) {
        await producer.disconnect().catch(() => {})
        throw kafkaFault("Kafka opens no transactional producer.", cause)
      }
      return {
        async send(topic, records, note) {
          try {
            const transaction = await producer.transaction()
            await transaction.send({ topic, acks: -1, messages: [...records] })
            const partition = { partition: 0, offset: String(note.last), metadata: note.name }
            await transaction.sendOffsets({
              consumerGroupId: name,
              topics: [{ topic, partitions: [partition] }],
            })
            await transaction.commit()
          } catch (cause) {
            const message = cause instanceof Error ? cause.message : String(cause)
            throw kafkaFault(`Kafka did not take records for ${topic}: ${message}.`, cause)
          }
        },
        close: () => producer.disconnect(),
      }
    },

    async readNote(name, topic) {
      return await withAdmin(async (admin) => {
        const [answer] = await admin.fetchOffsets({ groupId: name, topics: [topic] })
        const stored = answer?.partitions.find(({ partition }) => partition === 0)
        if (!stored || BigInt(stored.offset) < 0n) return null
        return { last: BigInt(stored.offset), name: stored.metadata ?? "" }
      })
    },
  }
}
