// Makes the topics before the connector starts, with every setting given. Debezium would create them too, but with the
// broker's defaults: a commit log of several partitions has no order, and a compacted topic loses changes that the
// transaction's END has counted. An existing topic is compared: its configuration is put right, and a partition count
// that the flow cannot work with is refused. Of the connectors' files only this file imports the Kafka client.
import { ExponentialBackoff, handleAll, retry } from "cockatiel"
import kafkajs from "kafkajs"

const dayMs = 24 * 60 * 60 * 1000

/** More than the largest row that the HTTP interface permits; `producer.override.max.request.size` is the same. */
const maxMessageBytes = 8 * 1024 * 1024

/** Partitions of a data topic; `transforms.*.partition.topic.num` is the same. */
const dataPartitions = 6

/** Topics of one connector. The commit log is the transaction topic; `captured` are `schema.table` names. */
export type TopicPlan = {
  topicPrefix: string
  captured: readonly string[]
  heartbeatTable?: string
  /** Names, without the prefix, of the topics of domain events. The read side writes these topics. */
  events?: readonly string[]
}

export type TopicSpecification = {
  topic: string
  partitions: number
  /** The answer to a wrong partition count: refuse it where the flow cannot work, or report a mere difference. */
  onWrongPartitions: "refuse" | "refuse-fewer" | "report"
  config: Record<string, string>
}

export type TopicResult =
  | { topic: string; outcome: "created" | "unchanged"; partitions: number }
  | { topic: string; outcome: "altered"; partitions: number; altered: string[] }
  | { topic: string; outcome: "differs"; partitions: number; wanted: number }

/** The topics of this prefix that the connector and the read side write, with the settings that the topics must have. */
export function planTopics(plan: TopicPlan): TopicSpecification[] {
  const { topicPrefix } = plan
  const heartbeatTable = plan.heartbeatTable ?? "public.cdc_heartbeat"
  return [
    // Kept 14 days, twice as long as the data: a projector that still has a row to apply must find the END of its
    // transaction.
    { ...single(`${topicPrefix}.transaction`, 14), onWrongPartitions: "refuse" },
    ...plan.captured.map((table) =>
      table === heartbeatTable
        ? single(`${topicPrefix}.${table}`, 7)
        : {
            topic: `${topicPrefix}.${table}`,
            partitions: dataPartitions,
            // Partition routing counts on six partitions; with fewer the producer fails on the missing partitions.
            onWrongPartitions: "refuse-fewer" as const,
            config: topicConfig(7),
          },
    ),
    ...(plan.events ?? []).map((name) => ({
      topic: `${topicPrefix}.${name}`,
      partitions: dataPartitions,
      // With another partition count a key would move to another partition and lose its order.
      onWrongPartitions: "report" as const,
      config: topicConfig(30),
    })),
    single(`${topicPrefix}.notifications`, 7),
    single(`__debezium-heartbeat.${topicPrefix}`, 1),
  ]
}

/** Creates missing topics and corrects settings that differ. Throws TopicRefused before it changes anything. */
export async function ensureTopics(options: {
  brokers: string
  topics: readonly TopicSpecification[]
  dryRun?: boolean
  timeoutMs?: number
}): Promise<TopicResult[]> {
  const kafka = new kafkajs.Kafka({
    clientId: "connectors-register",
    brokers: options.brokers.split(",").map((broker) => broker.trim()),
    logLevel: kafkajs.logLevel.NOTHING,
    connectionTimeout: 5_000,
    requestTimeout: options.timeoutMs ?? 15_000,
    retry: { retries: 5, initialRetryTime: 200 },
  })
  const admin = kafka.admin()
  await admin.connect()
  try {
    return await reconcile(admin, options.topics, options.dryRun ?? false)
  } finally {
    await admin.disconnect()
  }
}

async function reconcile(
  admin: kafkajs.Admin,
  topics: readonly TopicSpecification[],
  dryRun: boolean,
): Promise<TopicResult[]> {
  const names = new Set(await admin.listTopics())
  const existing = topics.filter(({ topic }) => names.has(topic))
  const missing = topics.filter(({ topic }) => !names.has(topic))
  const partitions = await countPartitions(admin, existing)
  for (const specification of existing) refuseWrongPartitions(specification, partitions)

  if (missing.length > 0 && !dryRun) await create(admin, missing)
  const results: TopicResult[] = missing.map(({ topic, partitions: count }) => ({
    topic,
    outcome: "created",
    partitions: count,
  }))
  for (const specification of existing) {
    const count = partitions.get(specification.topic) ?? 0
    const altered = await correct(admin, specification, dryRun)
    if (count !== specification.partitions) {
      const wanted = specification.partitions
      results.push({ topic: specification.topic, outcome: "differs", partitions: count, wanted })
    } else if (altered.length > 0) {
      results.push({ topic: specification.topic, outcome: "altered", partitions: count, altered })
    } else {
      results.push({ topic: specification.topic, outcome: "unchanged", partitions: count })
    }
  }
  return results
}

async function create(admin: kafkajs.Admin, topics: readonly TopicSpecification[]): Promise<void> {
  const { brokers } = await admin.describeCluster()
  // Three copies, of which a write reaches at least two, wherever there are brokers for them.
  const replicationFactor = Math.min(3, brokers.length)
  const durability = { "min.insync.replicas": replicationFactor === 3 ? "2" : "1" }
  await admin.createTopics({
    // The client's own wait gives up when a broker has not yet heard of the new topic.
    waitForLeaders: false,
    topics: topics.map(({ topic, partitions, config }) => ({
      topic,
      numPartitions: partitions,
      replicationFactor,
      configEntries: Object.entries({ ...config, ...durability }).map(([name, value]) => ({ name, value })),
    })),
  })
  await waitForLeaders(
    admin,
    topics.map(({ topic }) => topic),
  )
}

/** A topic can be written once each of its partitions has a leader, some time after the topic was created. */
async function waitForLeaders(admin: kafkajs.Admin, topics: string[]): Promise<void> {
  const patience = retry(handleAll, {
    maxAttempts: 100,
    backoff: new ExponentialBackoff({ initialDelay: 20, maxDelay: 300 }),
  })
  await patience.execute(async () => {
    const metadata = await admin.fetchTopicMetadata({ topics })
    const leaderless = metadata.topics.find(({ partitions }) => partitions.some(({ leader }) => leader < 0))
    if (leaderless) throw new Error(`Topic ${leaderless.name} has partitions without a leader.`)
  })
}

async function countPartitions(admin: kafkajs.Admin, topics: readonly TopicSpecification[]) {
  if (topics.length === 0) return new Map<string, number>()
  const metadata = await admin.fetchTopicMetadata({ topics: topics.map(({ topic }) => topic) })
  return new Map(metadata.topics.map(({ name, partitions }) => [name, partitions.length]))
}

function refuseWrongPartitions(specification: TopicSpecification, partitions: Map<string, number>): void {
  const { topic, partitions: wanted, onWrongPartitions } = specification
  const count = partitions.get(topic) ?? 0
  if (onWrongPartitions === "report" || count === wanted) return
  if (onWrongPartitions === "refuse-fewer" && count > wanted) return
  throw new TopicRefused(topic, count, wanted)
}

/** Sets the settings that differ, keeps every other setting of an operator, and returns the names of the settings set. */
async function correct(admin: kafkajs.Admin, { topic, config }: TopicSpecification, dryRun: boolean) {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }],
  })
  const entries = resources.flatMap(({ configEntries }) => configEntries)
  const now = new Map(entries.map(({ configName, configValue }) => [configName, configValue]))
  const altered = Object.keys(config).filter((name) => now.get(name) !== config[name])
  if (altered.length === 0 || dryRun) return altered
  // The request replaces all settings of the topic, so it repeats the settings that the topic has already.
  const kept = entries.filter(({ configSource }) => configSource === kafkajs.ConfigSource.TOPIC_CONFIG)
  const wanted = { ...Object.fromEntries(kept.map((e) => [e.configName, e.configValue])), ...config }
  await admin.alterConfigs({
    validateOnly: false,
    resources: [
      {
        type: kafkajs.ConfigResourceTypes.TOPIC,
        name: topic,
        configEntries: Object.entries(wanted).map(([name, value]) => ({ name, value })),
      },
    ],
  })
  return altered
}

function single(topic: string, retentionDays: number): TopicSpecification {
  return { topic, partitions: 1, onWrongPartitions: "report", config: topicConfig(retentionDays) }
}

function topicConfig(retentionDays: number): Record<string, string> {
  return {
    // Never compact: a transaction's END counts every change, overwritten changes too.
    "cleanup.policy": "delete",
    "retention.ms": String(retentionDays * dayMs),
    "retention.bytes": "-1",
    // Retention removes whole segments, so a segment must not outlive it by much.
    "segment.ms": String(dayMs),
    "max.message.bytes": String(maxMessageBytes),
    // A record's age counts by the broker's clock: the history of a source with a wrong clock must not expire early.
    "message.timestamp.type": "LogAppendTime",
  }
}

/** A topic exists with a partition count that the flow cannot work with. Nothing was changed. */
export class TopicRefused extends Error {
  override name = "TopicRefused"
  readonly nextStep: string

  constructor(topic: string, partitions: number, wanted: number) {
    super(`Topic ${topic} has ${partitions} partitions where ${wanted} are needed.`)
    this.nextStep =
      `Partitions cannot be taken away. Stop the connector, delete the topics of this prefix, register again ` +
      `(npx lockstep connector register) and rebuild (npx lockstep projection rebuild); or register under another TOPIC_PREFIX and SLOT_NAME.`
  }
}
