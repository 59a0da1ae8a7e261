// How a registration and the state of capture are put in words.
import { describeDifference } from "../../connectors/connector-settings.ts"
import type { Registration } from "../../connectors/register.ts"
import type { CaptureStatus } from "../../connectors/status.ts"

/** A line for each setting that differed, then the outcome. */
export function describeRegistration({ connectorName, outcome, dryRun, differences }: Registration): string {
  const result = dryRun
    ? `connector ${connectorName} would be ${outcome}; nothing was changed`
    : `connector ${connectorName} is ${outcome} and captures`
  return [...differences.map(describeDifference), result].join("\n")
}

function describePublication({ capture, publication: { captured, missing } }: CaptureStatus): string {
  if (capture.publication === null) return "none"
  if (missing.length === 0) return `${captured.length} tables captured`
  return `${captured.length - missing.length} of ${captured.length} tables captured`
}

/** A line for connector, slot, publication and each stored offset, then the faults. */
export function describeStatus(status: CaptureStatus): string {
  const { capture, publication } = status
  const slot = capture.slot
  const states = status.tasks.map(({ id, state }) => `task ${id} ${state}`)
  return [
    `connector    ${status.connectorName}: ${[status.connector?.state ?? "none", ...states].join(", ")}`,
    `slot         ${slot === null ? "none" : `${slot.active ? "active" : "NOT ACTIVE"}, ${slot.walStatus}`}`,
    slot && `  restart    ${slot.restartLsn} (${slot.retainedBytes} bytes of WAL kept)`,
    slot && `  confirmed  ${slot.confirmedFlushLsn} (${slot.lagBytes} bytes behind ${capture.currentLsn})`,
    `publication  ${publication.name}: ${describePublication(status)}`,
    publication.extra.length > 0 && `  not captured: ${publication.extra.join(", ")}`,
    status.offsets.length === 0 && "offsets      none stored yet",
    ...status.offsets.map(
      (held) => `offsets      ${JSON.stringify(held.partition)} ${JSON.stringify(held.offset)}`,
    ),
    ...status.faults.map((fault) => `FAULT        ${fault}`),
    status.healthy ? "healthy" : `not healthy, faults: ${status.faults.length}`,
  ]
    .filter((line) => typeof line === "string")
    .join("\n")
}
