// What is told of a projector, through the database, to every instance. What a process before this one halted for, and
// why this one began again, stand until something has been applied: beginning is no sign that the cause is gone, and
// restarts by a supervisor hide nothing.
import type { Kysely } from "kysely"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import type { EngineError } from "../vocabulary/errors.ts"
import { formatLsn } from "../vocabulary/lsn.ts"
import type { FollowerState } from "./follow.ts"
import {
  confirmProjectorStatus,
  type ProjectorStatus,
  readProjectorState,
  writeProjectorStatus,
} from "./status.ts"

export type ProjectorReport = ReturnType<typeof createProjectorReport>

export function createProjectorReport(deps: { db: Kysely<QueryDatabase>; source: string; holder: string }) {
  const { db, source, holder } = deps
  let status: ProjectorStatus = { state: "starting", reason: null, nextStep: null, detail: {} }
  /** A process before this one, or this one, halted, and nothing has been applied since. */
  let stillHalted = false
  /** Why it began again, and how often; null once something has been applied. */
  let retried: { status: ProjectorStatus; times: number } | null = null

  return {
    /** Takes what it does now; others learn of it by `tell`. */
    note(now: ProjectorStatus): void {
      status = now
    },

    tell,

    /** The lease is ours: whatever was reported before is kept if it was a halt. */
    async takeOver(): Promise<void> {
      stillHalted = (await readProjectorState(db, source)) === "halted"
    },

    /** Notes that it begins again. @returns how often it has, before, since something was applied. */
    noteRetry({ message: reason, detail }: EngineError): number {
      const times = retried?.times ?? 0
      status = { state: "retrying", reason, nextStep: null, detail }
      retried = { status, times: times + 1 }
      return times
    },

    /** Notes how following goes, and tells when it does or waits for something else than before. */
    async noteFollowing(generation: number, state: FollowerState | null): Promise<void> {
      const following = describe(generation, state)
      if (state && state.transactions > 0) retried = null
      const now = following.state === "waiting" ? following : (retried?.status ?? following)
      const changed = now.state !== status.state || isAbout(now) !== isAbout(status)
      status = now
      if (changed || stillHalted) await tell()
    },

    /** Says that the process is still there and its status as it was. Never fails. */
    async confirm(): Promise<void> {
      await confirmProjectorStatus(db, source, holder).catch(() => {})
    },
  }

  /** Never fails: a database that is down shows by itself, and the row grows old. @returns whether it was told. */
  async function tell(): Promise<boolean> {
    if (stillHalted && isBeginning(status)) return true
    stillHalted = false
    return await writeProjectorStatus(db, source, holder, status).then(
      () => true,
      () => false,
    )
  }
}

/** Nothing has been applied yet: what a halt was for may lie ahead. */
function isBeginning({ state, detail }: ProjectorStatus): boolean {
  if (state === "starting") return true
  return (state === "following" || state === "waiting") && detail.transactions === 0
}

/** What it does or waits for, without how far it is: `reading`, `applying`, `transaction`, `capture`. */
const isAbout = ({ reason }: ProjectorStatus): string | undefined => reason?.split(" ", 1)[0]

function describe(generation: number, state: FollowerState | null): ProjectorStatus {
  if (!state) return { state: "starting", reason: "joining the topics", nextStep: null, detail: {} }
  const { waitingFor, position, ...counts } = state
  return {
    state: waitingFor === null ? "following" : "waiting",
    reason: waitingFor,
    nextStep: null,
    detail: { generation, position: formatLsn(position), ...counts },
  }
}
