// One term of the lease, from taking the lease to releasing it. Beside the work, and as long as the term lasts, the
// lease is renewed, the status told, dead letters and events are published, and old transaction ids are forgotten.
import { publishDeadLetters } from "../dead-letters/publish-dead-letters.ts"
import { messageSchema } from "../events/cloud-event.ts"
import { createEventPublisher, mostEvents } from "../events/publish-events.ts"
import { type Lease, underLease } from "../lease/lease.ts"
import type { LeaseKeeper } from "../lease/lease-keeper.ts"
import { pruneAppliedXids } from "../lease/progress.ts"
import { EngineError } from "../vocabulary/errors.ts"
import { pause, repeat } from "../vocabulary/pacing.ts"
import type { Engine } from "./engine.ts"
import type { ProjectorReport } from "./report.ts"

/** The parts that a term needs beside the engine. */
export type Term = {
  keeper: LeaseKeeper
  report: ProjectorReport
  /** One piece of work; asked again while the lease is held. */
  workOnce: (lease: Lease, signal: AbortSignal) => Promise<void>
}

const statusMs = 2_000
const pruneMs = 60_000
const publishMs = 1_000
const eventsMs = 100
const eventsRetryMs = 1_000

/**
 * Works until `stopping` is aborted.
 * @throws the error that ended the work, or EngineError (retry) when the lease is lost.
 */
export async function serveTerm(
  engine: Engine,
  { keeper, report, workOnce }: Term,
  lease: Lease,
  stopping: AbortSignal,
): Promise<void> {
  const { db, cacheFence } = engine
  const held = new AbortController()
  const ended = new AbortController()
  const signal = AbortSignal.any([held.signal, stopping])
  const renewing = keeper.keep(lease, ended.signal, () => {
    held.abort()
    engine.breakConnections()
  })
  const reporting = repeat(statusMs, signal, async () => void (await report.tell()))
  const pruning = repeat(pruneMs, signal, () => pruneAppliedXids(db, lease.source))
  // The term's end does not wait for this: a silent Kafka must not hold the lease, and a second copy does no harm.
  void repeat(publishMs, signal, () => publishParked(engine, lease))
  // Nor for this: the next publisher finds out which events were sent, and sends the others.
  void publishEvents(engine, lease, signal)
  try {
    while (!signal.aborted) await workOnce(lease, signal)
  } catch (error) {
    // An error after the loss of the lease says nothing (the tables may be gone): then the loss is thrown instead.
    if (!stopping.aborted) await underLease(db, lease, async () => {})
    throw error
  } finally {
    held.abort()
    ended.abort()
    await Promise.allSettled([renewing, reporting, pruning])
    // No cached answer may outlive the lease under which it was fenced.
    if (stopping.aborted) await cacheFence.stop()
    await keeper.release(lease)
  }
  if (!stopping.aborted) {
    throw new EngineError(
      "dependency-down",
      "The lease was lost to another instance or to a database outage.",
    )
  }
}

/** Never fails: a dead letter that was not sent is sent the next time. */
async function publishParked({ db, kafka, topicPrefix, log }: Engine, lease: Lease): Promise<void> {
  try {
    const sent = await publishDeadLetters(db, lease, kafka, topicPrefix)
    if (sent > 0) log.info({ sent }, "dead letters were published")
  } catch (error) {
    log.warn({ err: error }, "dead letters could not be published; they are kept and sent later")
  }
}

/** Sends events until the signal is aborted. Never fails: an event that was not sent waits in the outbox. */
async function publishEvents(engine: Engine, lease: Lease, signal: AbortSignal): Promise<void> {
  const { db, kafka, topicPrefix, log } = engine
  const { outbox } = engine.projections
  if (!outbox) return
  const publisher = createEventPublisher({
    db,
    lease,
    outbox,
    topicPrefix,
    kafka,
    registerSchema: (topic) => engine.registerSchema(`${topic}-value`, messageSchema(outbox)),
  })
  while (!signal.aborted) {
    try {
      // Events that come one by one are sent together: each sending has its cost, however few events it takes along.
      if ((await publisher.publish()) < mostEvents / 2) await pause(eventsMs, signal)
    } catch (error) {
      if (signal.aborted) break
      log.warn({ err: error }, "events could not be published; they wait in the outbox")
      await pause(eventsRetryMs, signal)
    }
  }
  await publisher.close()
}
