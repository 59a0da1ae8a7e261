// What the holder of the lease works on: loads a generation when there is none that fits, executes what operators
// asked for, and otherwise follows the commit log.
import type { ApplyTarget } from "../apply/apply.ts"
import { createDecoder } from "../decode/decode.ts"
import { findLiveGeneration } from "../generations/generations.ts"
import type { Lease } from "../lease/lease.ts"
import { findOpenRequest, type OpenRequest } from "../lease/requests.ts"
import { tablesRead } from "../projection/heartbeat.ts"
import { executeRequest } from "../redrive/execute-request.ts"
import type { DeadLetterWork } from "../redrive/redrive-request.ts"
import { EngineError } from "../vocabulary/errors.ts"
import { findSource, type Source } from "../vocabulary/history.ts"
import { pause, repeat } from "../vocabulary/pacing.ts"
import type { Engine } from "./engine.ts"
import { createFollower, type Follower } from "./follow.ts"
import { loadGeneration, rebuild } from "./fresh-generation.ts"
import type { ProjectorReport } from "./report.ts"

/** How often it looks for a request. */
export const requestPollMs = 500
const reportMs = 100

/** @returns what to do over and over while the lease is held: one piece of work, until it ends or the signal says so. */
export function createHolderWork(
  engine: Engine,
  report: ProjectorReport,
): (lease: Lease, signal: AbortSignal) => Promise<void> {
  const { db, source, projections, log } = engine
  let attempts = 0

  return async (lease, signal) => {
    const request = await findOpenRequest(db, source)
    if (request?.kind === "rebuild") {
      await rebuild(engine, report, { lease, request: request.id, signal })
      return
    }
    const live = await findLiveGeneration(db, source)
    if (live?.projectionVersion !== projections.version) {
      await loadGeneration(engine, report, { lease, signal })
      return
    }
    const known = await findSource(db, source)
    if (!known) throw new EngineError("misconfigured", `Source ${source} is not known.`)
    const target: ApplyTarget = {
      db: engine.work,
      projections,
      ref: live,
      schema: live.schema,
      epoch: known.epoch,
      leaseEpoch: lease.leaseEpoch,
      cacheFence: engine.cacheFence,
    }
    // Nothing is applied now, so what is asked about dead letters can be done: also where following would halt.
    if (request) await answer(lease, target, request, signal, (step) => step().then(() => true))
    else await follow(lease, target, known, signal)
  }

  async function answer(
    lease: Lease,
    target: ApplyTarget,
    request: OpenRequest,
    signal: AbortSignal,
    between: DeadLetterWork["between"],
  ): Promise<void> {
    const decoder = createDecoder(engine.fetchSchema)
    const tables = tablesRead(projections)
    await executeRequest({ db, lease, log }, { target, tables, decoder, between, signal }, request)
  }

  async function follow(
    lease: Lease,
    target: ApplyTarget,
    known: Source,
    signal: AbortSignal,
  ): Promise<void> {
    attempts++
    const follower = createFollower(engine, {
      target,
      source: known,
      groupId: `lockstep-${source}-${lease.leaseEpoch}-${engine.holder}-${attempts}`,
    })
    const done = new AbortController()
    const until = AbortSignal.any([signal, done.signal])
    const { generation } = target.ref
    const reporting = repeat(reportMs, until, () => report.noteFollowing(generation, follower.state()))
    try {
      await follower.start()
      await Promise.race([follower.failed, serveRequests(lease, target, follower, until)])
    } finally {
      done.abort()
      await follower.stop()
      await reporting
    }
  }

  /** Does what is asked between applies. Resolves when following must end for it, or when the signal says to stop. */
  async function serveRequests(
    lease: Lease,
    target: ApplyTarget,
    follower: Follower,
    signal: AbortSignal,
  ): Promise<void> {
    while (!signal.aborted) {
      await pause(requestPollMs, signal)
      const request = signal.aborted ? null : await findOpenRequest(db, source)
      if (request?.kind === "rebuild") return
      if (request) await answer(lease, target, request, signal, follower.between)
    }
  }
}
