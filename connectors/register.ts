// From a migrated database to a connector that captures: check that history is whole, make the topics, write the
// settings where they differ, wait until the task runs and the slot is active. Running it again changes nothing.
import {
  type ConnectClient,
  type ConnectorSettings,
  type ConnectorStatus,
  createConnectClient,
} from "./connect-client.ts"
import {
  buildSettings,
  capturedTables,
  compareSettings,
  type SettingDifference,
} from "./connector-settings.ts"
import { refuseBrokenHistory } from "./history.ts"
import { hasFailed, waitUntilCapturing } from "./running.ts"
import { readCapture } from "./slot.ts"
import { ensureTopics, planTopics, type TopicResult } from "./topics.ts"

/** Topics of domain events, after the prefix; the read side names them too (query/orders/events.ts). */
export const eventTopics = ["order-events"]

export type RegistrationOptions = {
  connectUrl: string
  kafkaBrokers: string
  /** Administrator of the command cluster; used to look at slot and publication only. */
  adminUrl: string
  connectorName: string
  topicPrefix: string
  slotName: string
  /** Captures this database of the cluster; by default the one that worker and adminUrl name. */
  databaseName?: string | undefined
  /** Settings that win over orders.json. */
  overrides?: ConnectorSettings
  /** Only says what would be done. */
  dryRun?: boolean
  /** How long connector and slot may take to come up. */
  timeLimitMs?: number
  onProgress?: ((message: string) => void) | undefined
}

export type Registration = {
  connectorName: string
  outcome: "created" | "updated" | "unchanged"
  dryRun: boolean
  differences: SettingDifference[]
  topics: TopicResult[]
}

/**
 * Registers the connector and answers once it captures.
 * Throws RegistrationRefused or TopicRefused (nothing was started), ConnectorNotRunning, or ConnectError.
 */
export async function registerConnector(options: RegistrationOptions): Promise<Registration> {
  const { connectorName, slotName, onProgress, dryRun = false } = options
  const connect = createConnectClient({ url: options.connectUrl, onRetry: onProgress })
  const wanted = buildSettings(options, options.overrides)
  const look = () => readCapture({ ...options, publicationName: wanted["publication.name"] ?? "" })

  onProgress?.(`looking at connector ${connectorName}, slot ${slotName} and the publication`)
  const running = await connect.readSettings(connectorName)
  const differences = compareSettings(running, wanted)
  const capture = await look()
  const outcome = running === null ? "created" : differences.length > 0 ? "updated" : "unchanged"

  if (dryRun && running === null) {
    onProgress?.("stored offsets are not checked: the connector does not exist and this is a dry run")
    const topics = await makeTopics(options, wanted)
    return { connectorName, outcome, dryRun, differences, topics }
  }
  if (running === null) await connect.createStopped(connectorName, wanted)
  // The status of a connector that was deleted a moment ago may still be shown: a new one is known to be stopped.
  const before = running === null ? null : await connect.readStatus(connectorName)
  let topics: TopicResult[]
  try {
    const offsets = (await connect.readOffsets(connectorName)) ?? []
    const isRunning = before?.connector.state === "RUNNING"
    refuseBrokenHistory({ ...options, capture, offsets, isRunning })
    topics = await makeTopics(options, wanted)
  } catch (error) {
    if (running === null) await connect.remove(connectorName)
    throw error
  }
  const registration: Registration = { connectorName, outcome, dryRun, differences, topics }
  if (dryRun) return registration

  if (outcome === "updated") await connect.writeSettings(connectorName, wanted)
  const hadFailed = await setGoing(connect, connectorName, before, onProgress)
  const timeLimitMs = options.timeLimitMs ?? 120_000
  const replacedPid = outcome === "updated" ? (capture.slot?.activePid ?? null) : null
  await waitUntilCapturing({
    connect,
    connectorName,
    readCapture: look,
    timeLimitMs,
    hadFailed,
    replacedPid,
    onProgress,
  })
  return registration
}

async function makeTopics(options: RegistrationOptions, wanted: ConnectorSettings): Promise<TopicResult[]> {
  const topics = await ensureTopics({
    brokers: options.kafkaBrokers,
    topics: planTopics({
      topicPrefix: options.topicPrefix,
      captured: capturedTables(wanted),
      events: eventTopics,
    }),
    dryRun: options.dryRun ?? false,
  })
  reportTopics(topics, options)
  return topics
}

/**
 * Starts what is stopped or paused and restarts what has failed; answers whether something had failed.
 * Resuming is asked for in any case: it does nothing to a connector that runs, and the status may lag behind.
 */
async function setGoing(
  connect: ConnectClient,
  connectorName: string,
  before: ConnectorStatus | null,
  onProgress: RegistrationOptions["onProgress"],
): Promise<boolean> {
  await connect.resume(connectorName)
  if (!hasFailed(before)) return false
  onProgress?.("connector or task had failed; restarting it")
  await connect.restartFailed(connectorName)
  return true
}

function reportTopics(topics: readonly TopicResult[], { dryRun, onProgress }: RegistrationOptions): void {
  const count = (outcome: TopicResult["outcome"]) => topics.filter((t) => t.outcome === outcome).length
  const counts = `${count("created")} created, ${count("altered")} altered, ${count("unchanged")} as wanted`
  onProgress?.(dryRun === true ? `topics, if this were no dry run: ${counts}` : `topics: ${counts}`)
  for (const result of topics) {
    if (result.outcome === "altered") onProgress?.(`  ${result.topic}: set ${result.altered.join(", ")}`)
    if (result.outcome === "differs") {
      onProgress?.(`  ${result.topic}: has ${result.partitions} partitions, planned were ${result.wanted}`)
    }
  }
}
