// After the settings are written: waits until the connector really captures. Connect's RUNNING is not enough, since a
// task that cannot reach the database says RUNNING while it retries. So the slot must be active, too.
import { setTimeout as sleep } from "node:timers/promises"
import type { ConnectClient, ConnectorStatus } from "./connect-client.ts"
import { ConnectorNotRunning, summarizeTrace } from "./refusal.ts"
import type { Capture, Slot } from "./slot.ts"

/** For so long after a restart the status topic may still show a failure from before the restart. */
const settleMs = 3_000

export type RunningWait = {
  connect: ConnectClient
  connectorName: string
  readCapture: () => Promise<Capture>
  timeLimitMs: number
  /** The task had failed before its restart: a failure counts as a new failure only after `settleMs`. */
  hadFailed: boolean
  /** The backend that held the slot with the old settings: while it still holds the slot, the task was not restarted. */
  replacedPid: number | null
  onProgress?: ((message: string) => void) | undefined
}

/** Resolves once connector and task are RUNNING and the slot is active; throws ConnectorNotRunning otherwise. */
export async function waitUntilCapturing(wait: RunningWait): Promise<Capture> {
  const startedAt = performance.now()
  const elapsedMs = () => performance.now() - startedAt
  let reported = ""
  for (;;) {
    const status = await wait.connect.readStatus(wait.connectorName)
    const capture = await wait.readCapture()
    const state = describeState(status, capture, wait.replacedPid)
    if (state.capturing) return capture
    if (state.failure !== null && (!wait.hadFailed || elapsedMs() > settleMs)) {
      throw failed(wait.connectorName, state.failure)
    }
    if (state.text !== reported) wait.onProgress?.(`waiting: ${state.text}`)
    reported = state.text
    if (elapsedMs() > wait.timeLimitMs) {
      const seconds = Math.round(wait.timeLimitMs / 1000)
      throw new ConnectorNotRunning(
        `Connector ${wait.connectorName} does not capture after ${seconds} s: ${state.text}.`,
        `Look into the worker's log for the operation that the task retries; the database may be unreachable from the worker.`,
        null,
      )
    }
    await sleep(200)
  }
}

/** True when the connector or a task of it has failed. */
export function hasFailed(status: ConnectorStatus | null): boolean {
  return status !== null && [status.connector, ...status.tasks].some(({ state }) => state === "FAILED")
}

function describeState(status: ConnectorStatus | null, { slot }: Capture, replacedPid: number | null) {
  const parts = status === null ? [] : [status.connector, ...status.tasks]
  const failure = parts.find(({ state }) => state === "FAILED") ?? null
  const task = status?.tasks[0]?.state ?? "not started"
  const slotState = describeSlot(slot, replacedPid)
  return {
    capturing: status?.connector.state === "RUNNING" && task === "RUNNING" && slotState === "active",
    failure: failure === null ? null : (failure.trace ?? "no trace was given"),
    text: `connector ${status?.connector.state ?? "unknown"}, task ${task}, slot ${slotState}`,
  }
}

function describeSlot(slot: Slot | null, replacedPid: number | null): string {
  if (slot === null) return "missing"
  if (!slot.active) return "not active"
  return slot.activePid === replacedPid ? "still read with the old settings" : "active"
}

function failed(connectorName: string, trace: string): ConnectorNotRunning {
  return new ConnectorNotRunning(
    `The task of connector ${connectorName} failed:\n${summarizeTrace(trace)}`,
    `Remove the cause (connectors/README.md lists the known causes) and restart the task: npx lockstep connector register.`,
    trace,
  )
}
