// How capture stands, from both sides: what Connect says of connector and task, what Postgres says of slot and
// publication. Every fault is named with its next step.
import type { ConnectorsConfig } from "./config.ts"
import { type ConnectorOffset, type ConnectorStatus, createConnectClient } from "./connect-client.ts"
import { buildSettings, capturedTables, signalTable } from "./connector-settings.ts"
import { summarizeTrace } from "./refusal.ts"
import { type Capture, readCapture } from "./slot.ts"

export type CaptureStatus = {
  connectorName: string
  healthy: boolean
  /** What is wrong, each with the next step. */
  faults: string[]
  connector: ConnectorStatus["connector"] | null
  tasks: ConnectorStatus["tasks"]
  offsets: ConnectorOffset[]
  capture: Capture
  publication: {
    name: string
    captured: string[]
    /** Captured tables that the publication does not hold: their changes never reach the connector. */
    missing: string[]
    /** Published tables that nobody captures: decoded in vain. */
    extra: string[]
  }
}

/** Reads the state of capture; throws only when Connect or the database do not answer. */
export async function readCaptureStatus(
  options: Omit<ConnectorsConfig, "kafkaBrokers" | "databaseName"> & { databaseName?: string | undefined },
): Promise<CaptureStatus> {
  const { connectorName } = options
  const connect = createConnectClient({ url: options.connectUrl, timeoutMs: 5_000, retries: 3 })
  const [status, settings, offsets] = await Promise.all([
    connect.readStatus(connectorName),
    connect.readSettings(connectorName),
    connect.readOffsets(connectorName),
  ])
  const effective = settings ?? buildSettings(options)
  const publicationName = effective["publication.name"] ?? ""
  const slotName = effective["slot.name"] ?? options.slotName
  const capture = await readCapture({ ...options, slotName, publicationName })

  const captured = capturedTables(effective)
  const published = capture.publication?.tables ?? []
  const publication = {
    name: publicationName,
    captured,
    missing: captured.filter((table) => !published.includes(table)),
    extra: published.filter((table) => !captured.includes(table) && table !== signalTable(effective)),
  }
  const faults = [
    ...connectorFaults(connectorName, status),
    ...slotFaults(slotName, capture),
    ...publicationFaults(publication, capture),
  ]
  return {
    connectorName,
    healthy: faults.length === 0,
    faults,
    connector: status?.connector ?? null,
    tasks: status?.tasks ?? [],
    offsets: offsets ?? [],
    capture,
    publication,
  }
}

function connectorFaults(connectorName: string, status: ConnectorStatus | null): string[] {
  if (status === null) {
    return [`Connector ${connectorName} is not registered: npx lockstep connector register.`]
  }
  const faults: string[] = []
  if (status.connector.state !== "RUNNING") {
    faults.push(
      `Connector ${connectorName} is ${status.connector.state}: npx lockstep connector register resumes it.`,
    )
  }
  if (status.tasks.length === 0) faults.push(`Connector ${connectorName} has no task.`)
  for (const { id, state, trace } of status.tasks) {
    if (state === "RUNNING") continue
    const reason = trace === undefined ? "" : `\n${summarizeTrace(trace)}`
    faults.push(`Task ${id} is ${state}: remove the cause, then npx lockstep connector register.${reason}`)
  }
  return faults
}

function slotFaults(slotName: string, { slot }: Capture): string[] {
  if (slot === null)
    return [
      `Slot ${slotName} does not exist: npx lockstep connector register makes it, or says what is lost.`,
    ]
  if (slot.walStatus === "lost" || slot.invalidationReason !== null) {
    return [
      `Slot ${slotName} is lost (${slot.invalidationReason ?? slot.walStatus}): see connectors/README.md.`,
    ]
  }
  const faults: string[] = []
  if (!slot.active) faults.push(`Slot ${slotName} is not active since ${slot.inactiveSince ?? "unknown"}.`)
  if (slot.walStatus === "unreserved") {
    faults.push(`Slot ${slotName} is about to be lost: the WAL it needs is beyond max_slot_wal_keep_size.`)
  }
  return faults
}

function publicationFaults(
  { name, captured, missing }: CaptureStatus["publication"],
  { publication }: Capture,
): string[] {
  if (publication === null) return [`Publication ${name} does not exist: npx lockstep db migrate.`]
  const faults: string[] = []
  if (missing.length > 0) faults.push(`Publication ${name} lacks captured tables: ${missing.join(", ")}.`)
  if (publication.unpublished.length > 0) {
    faults.push(`Publication ${name} does not publish ${publication.unpublished.join(", ")}.`)
  }
  const isCaptured = (table: string) => captured.includes(table)
  for (const table of publication.filtered.filter(isCaptured)) {
    faults.push(
      `Publication ${name} has a row filter on ${table}: take it away, then rebuild: npx lockstep projection rebuild.`,
    )
  }
  for (const table of publication.misidentified.filter(isCaptured)) {
    faults.push(
      `Deletes of ${table} do not name rows by its primary key: alter table ${table} replica identity default, then rebuild: npx lockstep projection rebuild.`,
    )
  }
  return faults
}
