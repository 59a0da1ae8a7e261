// The projector is the one writer of the read models for a source: it takes the lease and works for a term, again and
// again. Here the disposition of an error that ended a term decides: a retry holds the progress and goes on by itself,
// a halt stops with the reason and the next step and waits for a person (a request, or a restart).
import { createLeaseKeeper } from "../lease/lease-keeper.ts"
import { findOpenRequest } from "../lease/requests.ts"
import { classifyError, type EngineError } from "../vocabulary/errors.ts"
import { jittered, pause } from "../vocabulary/pacing.ts"
import type { Engine } from "./engine.ts"
import { createHolderWork, requestPollMs } from "./holder-work.ts"
import { createProjectorReport } from "./report.ts"
import type { ProjectorStatus } from "./status.ts"
import { serveTerm } from "./term.ts"

export type Projector = {
  start: () => void
  /** Resolves when the projector will write nothing more and has released the lease. */
  stop: () => Promise<void>
  /** For how long the lease is certainly still ours, by this process' monotonic clock. */
  leaseLeftMs: () => number
}

const retryDelaysMs = { first: 200, longest: 10_000 }

export function createProjector(engine: Engine): Projector {
  const { db, source, holder, log } = engine
  const stopping = new AbortController()
  const keeper = createLeaseKeeper({ db, source, holder, ttlMs: engine.leaseMs, log })
  const report = createProjectorReport({ db, source, holder })
  const term = { keeper, report, workOnce: createHolderWork(engine, report) }
  let running: Promise<void> = Promise.resolve()

  return {
    start() {
      running = run(stopping.signal)
    },
    async stop() {
      stopping.abort()
      await running
    },
    leaseLeftMs: keeper.leftMs,
  }

  async function run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const lease = await keeper.acquire(signal, () => report.note(standingBy))
        if (!lease) return
        engine.cacheFence.succeed(lease.formerLeftMs)
        await report.takeOver()
        await serveTerm(engine, term, lease, signal)
      } catch (thrown) {
        if (signal.aborted) return
        const error = classifyError(thrown)
        // Changes that can be parked have been parked: a bad row that ends the work cannot be.
        if (error.disposition === "retry") await retry(error, signal)
        else await halt(error, signal)
      }
    }
  }

  async function retry(error: EngineError, signal: AbortSignal): Promise<void> {
    const delayMs = jittered(report.noteRetry(error), retryDelaysMs.first, retryDelaysMs.longest)
    log.warn(
      { err: error, code: error.code, ...error.detail, delayMs: Math.round(delayMs) },
      "the projector starts over",
    )
    await report.tell()
    await pause(delayMs, signal)
  }

  /** Stops with the reason on record. A request or a restart is the way back. */
  async function halt(error: EngineError, signal: AbortSignal): Promise<void> {
    log.fatal(
      { err: error, code: error.code, nextStep: error.nextStep, ...error.detail },
      "the projector has halted",
    )
    report.note({
      state: "halted",
      reason: error.message,
      nextStep:
        error.nextStep ?? "Look up the refusal in the log of the projector, mend its cause and restart.",
      detail: { code: error.code, ...error.detail },
    })
    let isOnRecord = await report.tell()
    engine.onHalted(true)
    while (!signal.aborted) {
      await pause(requestPollMs, signal)
      if ((await findOpenRequest(db, source).catch(() => null)) !== null) break
      if (isOnRecord) await report.confirm()
      else isOnRecord = await report.tell()
    }
    engine.onHalted(false)
  }
}

const standingBy: ProjectorStatus = {
  state: "waiting",
  reason: "another instance projects; this one stands by",
  nextStep: null,
  detail: {},
}
