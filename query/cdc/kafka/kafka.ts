// Step 1 of the flow, as the rooms after it use it: everything that one process reads from and sends to Kafka, over one
// client and with one goodbye.
import type { Logger } from "pino"
import { createKafkaClient, goodbye } from "./client.ts"
import { createLagGroup } from "./lag-group.ts"
import { createSending } from "./producer.ts"
import { createRecordReading } from "./record-reading.ts"
import { openReader, type TopicReader, type TopicReaderOptions } from "./topic-reader.ts"
import { createTransactionalSending } from "./transactional-producer.ts"

export type KafkaAccess = ReturnType<typeof createKafkaAccess>

export function createKafkaAccess(options: { brokers: readonly string[]; clientId: string; log: Logger }) {
  const client = createKafkaClient(options)
  const { kafka, clientId, offsetRanges, retentions } = client
  const open = (reader: TopicReaderOptions): TopicReader => openReader(kafka, reader)
  const lagGroup = createLagGroup(kafka)
  const sending = createSending(client)
  return {
    openReader: open,
    publishOffsets: lagGroup.publishOffsets,
    offsetRanges,
    retentions,
    ...createRecordReading({ openReader: open, offsetRanges, clientId }),
    send: sending.send,
    ...createTransactionalSending(client),
    async close(): Promise<void> {
      await Promise.all([lagGroup.close(), sending.close(), client.close()].map(goodbye))
    },
  }
}
