// Before anything is started: does the history that Connect remembers fit the slot that Postgres keeps? A slot without
// offsets, or offsets without a slot, means that changes between the two are gone or would come twice; the connector
// would start all the same and nobody would notice. So it is refused here, with what to do.
import type { ConnectorOffset } from "./connect-client.ts"
import { RegistrationRefused } from "./refusal.ts"
import type { Capture } from "./slot.ts"

export type HistoryCheck = {
  connectorName: string
  topicPrefix: string
  slotName: string
  capture: Capture
  /** Offsets that Connect holds for this connector and prefix. */
  offsets: readonly ConnectorOffset[]
  /** The connector runs. A new one stores its first offsets seconds after it has made its slot. */
  isRunning: boolean
}

/** Throws RegistrationRefused unless slot and offsets are both new or both there, or the slot is in use by this connector. */
export function refuseBrokenHistory(check: HistoryCheck): void {
  const { slotName, connectorName, topicPrefix } = check
  const { slot, database } = check.capture
  const known = check.offsets.some(({ partition, offset }) => offset && partition.server === topicPrefix)
  if (slot === null) {
    if (!known) return
    throw new RegistrationRefused(
      `Connect has offsets of connector ${connectorName}, but its replication slot ${slotName} does not exist: ` +
        `the changes since those offsets are lost to it.`,
      `Forget the offsets (PUT /connectors/${connectorName}/stop, then DELETE /connectors/${connectorName}/offsets), ` +
        `register again (npx lockstep connector register), and rebuild from a snapshot: npx lockstep projection rebuild.`,
    )
  }
  if (slot.database !== database || slot.plugin !== "pgoutput") {
    throw new RegistrationRefused(
      `Slot ${slotName} belongs to database ${slot.database} with plugin ${slot.plugin}, ` +
        `not to ${database} with pgoutput.`,
      `Choose another slot name (SLOT_NAME), or drop that slot if nobody uses it: ` +
        `select pg_drop_replication_slot('${slotName}').`,
    )
  }
  if (slot.walStatus === "lost" || slot.invalidationReason !== null) {
    throw new RegistrationRefused(
      `Slot ${slotName} is lost (${slot.invalidationReason ?? slot.walStatus}): Postgres has removed WAL that it needed.`,
      `Drop it (select pg_drop_replication_slot('${slotName}')), delete the connector's offsets, ` +
        `register again (npx lockstep connector register), and rebuild from a snapshot: npx lockstep projection rebuild.`,
    )
  }
  if (!known && !(check.isRunning && slot.active)) {
    throw new RegistrationRefused(
      `Slot ${slotName} exists, but Connect has no offsets for connector ${connectorName} with prefix ${topicPrefix}: ` +
        `whatever the slot has already confirmed would be missing from the topics.`,
      `If the offsets topic was lost or this is another Connect cluster, drop the slot ` +
        `(select pg_drop_replication_slot('${slotName}')), register again (npx lockstep connector register), ` +
        `and rebuild from a snapshot: npx lockstep projection rebuild. If another connector uses the slot, choose another SLOT_NAME.`,
    )
  }
}
