// What `/readyz` says of one source, judged from its status: is there a generation to serve, is the projector at work,
// does the source's heart beat. Every part says how it is, why, and what to do.
import { z } from "@hono/zod-openapi"
import { formatLsn, toLsn } from "../cdc/vocabulary/lsn.ts"
import type { SourceStatus } from "./source-status.ts"

export const check = z.object({
  state: z.enum(["ok", "degraded", "failed"]),
  reason: z.string().optional(),
  next_step: z.string().optional(),
  detail: z.record(z.string(), z.unknown()).optional(),
})
export type Check = z.infer<typeof check>
export type Checks = Readonly<Record<string, Check>>

const oldestStatusSeconds = 10
const oldestHeartbeatSeconds = 30
const oldestEventSeconds = 30

/** @param now milliseconds since 1970. */
export const sourceChecks = (status: SourceStatus, knownVersion: string, now: number): Checks => ({
  generation: generationCheck(status, knownVersion),
  projector: projectorCheck(status),
  heartbeat: heartbeatCheck(status, now),
  dead_letters: deadLettersCheck(status),
  events: eventsCheck(status),
})

/** Reads are as good as ever; it is others who have not heard. */
function eventsCheck(status: SourceStatus): Check {
  const { events_waiting: waiting, events_waiting_seconds: seconds } = status
  const detail = { waiting }
  if (seconds === null || seconds <= oldestEventSeconds) return { state: "ok", detail }
  return {
    state: "degraded",
    reason: `${waiting} domain events wait to be published, the oldest for ${Math.round(seconds)} s.`,
    next_step: "Kafka and the schema registry must take them; the projector's log says what they refuse.",
    detail,
  }
}

/** Answers over what is parked say so themselves; the others are whole. */
function deadLettersCheck({ dead_letters: parked }: SourceStatus): Check {
  if (parked === 0) return { state: "ok" }
  return {
    state: "degraded",
    reason: `${parked} row changes could not be applied and are parked.`,
    next_step: "npx lockstep dlq list; then redrive or discard them.",
    detail: { parked },
  }
}

function generationCheck(status: SourceStatus, knownVersion: string): Check {
  if (status.generation === null) {
    return { state: "failed", reason: "No generation is live: the read models are not loaded yet." }
  }
  const detail = {
    generation: status.generation,
    projection_version: status.projection_version,
    position: status.position === null ? null : formatLsn(toLsn(status.position)),
  }
  if (status.projection_version !== knownVersion) {
    return {
      state: "failed",
      reason: `The live generation has projection version ${status.projection_version}; this instance knows ${knownVersion}.`,
      next_step: "Run the version that made it, or rebuild: npx lockstep projection rebuild.",
      detail,
    }
  }
  return { state: "ok", detail }
}

function projectorCheck(status: SourceStatus): Check {
  if (status.state === null || status.status_age_seconds === null) {
    return { state: "failed", reason: "No projector has reported yet." }
  }
  const ageSeconds = Math.max(0, Math.round(status.status_age_seconds))
  const more = {
    ...(status.next_step === null ? {} : { next_step: status.next_step }),
    detail: { ...status.detail, state: status.state, age_seconds: ageSeconds },
  }
  // A process that has halted may have ended: what it said stands until another one follows.
  if (ageSeconds > oldestStatusSeconds && status.state !== "halted") {
    return { state: "failed", reason: `The projector has not reported for ${ageSeconds} s.`, ...more }
  }
  if (status.state === "following") return { state: "ok", ...more }
  // A load beside a generation that serves is a rebuild: reads are as good as the heartbeat says.
  if (status.state === "loading" && status.generation !== null) {
    return { state: "degraded", reason: status.reason ?? "The read models are being rebuilt.", ...more }
  }
  return { state: "failed", reason: status.reason ?? `The projector is ${status.state}.`, ...more }
}

function heartbeatCheck(status: SourceStatus, now: number): Check {
  const ageSeconds = heartbeatAgeSeconds(status, now)
  if (ageSeconds === null) {
    return { state: "failed", reason: "No heartbeat of the source has been applied yet." }
  }
  // By the query database's clock alone, so that no difference between clocks hides a standstill.
  const appliedSeconds = Math.max(0, Math.round(status.applied_age_seconds ?? 0))
  const detail = { age_seconds: ageSeconds, applied_seconds_ago: appliedSeconds }
  if (Math.max(ageSeconds, appliedSeconds) <= oldestHeartbeatSeconds) return { state: "ok", detail }
  return {
    state: "failed",
    reason:
      appliedSeconds > oldestHeartbeatSeconds
        ? `Nothing has been applied for ${appliedSeconds} s: capture or the projector stands still.`
        : `The last heartbeat of the source that was applied is ${ageSeconds} s old: the read models are catching up, or the clocks of the source and of this process differ.`,
    next_step: "Look at the projector above, then at the connector: npx lockstep connector status.",
    detail,
  }
}

/** Whole seconds since the source's clock in the last heartbeat applied; a clock ahead of ours counts as now. */
export function heartbeatAgeSeconds({ heartbeat_at }: SourceStatus, now: number): number | null {
  const at = heartbeat_at instanceof Date ? heartbeat_at.getTime() : Number.NaN
  return Number.isFinite(at) ? Math.max(0, Math.round((now - at) / 1_000)) : null
}
