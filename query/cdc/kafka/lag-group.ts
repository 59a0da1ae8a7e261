// Part of step 1: shows lag. The offsets that are applied are committed to a group in which nobody reads, for the tools
// that compare a group's offsets with the ends of its topics. Nothing here reads them back.
import type kafkajs from "kafkajs"
import { splitPartitionKey } from "../vocabulary/change.ts"

export function createLagGroup(kafka: kafkajs.Kafka) {
  let lagMember: Promise<kafkajs.Consumer> | null = null

  return {
    publishOffsets,
    close: async (): Promise<void> => await (await lagMember)?.disconnect(),
  }

  /**
   * `offsets` are the next to read, by `topic/partition`; the group must always be the same one.
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
}
