// Reports the status of a projector, through the database, to every instance. The reason of an earlier halt and the
// reason of a retry stand until a transaction has been applied: a new beginning is no sign that the cause is gone. So
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
  /** This process or a process before it halted, and no transaction has been applied since. */
  let stillHalted = false
  /** Why the projector began again, and how often; null once a transaction has been applied. */
  let retried: { status: ProjectorStatus; times: number } | null = null

  return {
    /** Takes the present status; other instances learn of it by `tell`. */
    note(now: ProjectorStatus): void {
      status = now
    },

    tell,

    /** The lease is ours: a halt that was reported before stays on record. */
    async takeOver(): Promise<void> {
      stillHalted = (await readProjectorState(db, source)) === "halted"
    },

    /** Notes that the projector begins again. @returns how many retries there were since a transaction was applied. */
    noteRetry({ message: reason, detail }: EngineError): number {
      const times = retried?.times ?? 0
      status = { state: "retrying", reason, nextStep: null, detail }
      retried = { status, times: times + 1 }
      return times
    },

    /** Notes how following goes, and tells when the projector does or waits for something else than before. */
    async noteFollowing(generation: number, state: FollowerState | null): Promise<void> {
      const following = describe(generation, state)
      if (state && state.transactions > 0) retried = null
      const now = following.state === "waiting" ? following : (retried?.status ?? following)
      const changed = now.state !== status.state || isAbout(now) !== isAbout(status)
      status = now
      if (changed || stillHalted) await tell()
    },

    /** Confirms that the process is alive and its status unchanged. Never fails. */
    async confirm(): Promise<void> {
      await confirmProjectorStatus(db, source, holder).catch(() => {})
    },
  }

  /** Never fails: a database that is down shows by itself, and the row grows old. @returns whether it is written. */
  async function tell(): Promise<boolean> {
    if (stillHalted && isBeginning(status)) return true
    stillHalted = false
    return await writeProjectorStatus(db, source, holder, status).then(
      () => true,
      () => false,
    )
  }
}

/** No transaction has been applied yet: the cause of a halt may lie ahead. */
function isBeginning({ state, detail }: ProjectorStatus): boolean {
  if (state === "starting") return true
  return (state === "following" || state === "waiting") && detail.transactions === 0
}

/** The subject of a reason, without how far it is: `reading`, `applying`, `transaction`, `capture`. */
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
