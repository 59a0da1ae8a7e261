// Step 1 of the flow: the connection to Kafka. Its admin client tells where topics begin and end and how long they keep
// their records. Only the files of this room import the Kafka client.
import { setTimeout as sleep } from "node:timers/promises"
import kafkajs from "kafkajs"
import type { Logger } from "pino"
import { partitionKey } from "../vocabulary/change.ts"
import { kafkaFault } from "../vocabulary/errors.ts"

const { Kafka, logLevel } = kafkajs

export type OffsetRange = { low: bigint; high: bigint }

/** A record goes with its whole segment: `segmentMs` after it was written that is full at the latest. -1: never. */
export type Retention = { retentionMs: number; segmentMs: number }

export type KafkaClient = ReturnType<typeof createKafkaClient>

const goodbyeMs = 3_000

export function createKafkaClient(options: { brokers: readonly string[]; clientId: string; log: Logger }) {
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

  return {
    kafka,
    clientId: options.clientId,
    withAdmin,
    offsetRanges,
    retentions,
    close: () => admin.disconnect(),
  }

  /** @throws EngineError when Kafka does not answer or refuses this process. */
  async function withAdmin<Result>(ask: (admin: kafkajs.Admin) => Promise<Result>): Promise<Result> {
    try {
      connected ??= admin.connect()
      await connected
      return await ask(admin)
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
}

/** A broker that does not answer is left without its answer; the client goes on leaving by itself. */
export async function goodbye(leaving: Promise<void> | undefined): Promise<void> {
  await Promise.race([leaving?.catch(() => {}), sleep(goodbyeMs, undefined, { ref: false })])
}
