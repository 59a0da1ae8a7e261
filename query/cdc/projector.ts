// The one writer of the read models for a source. Whoever holds the lease loads the first base if there is none,
// executes what operators asked for, and otherwise follows the commit log. This is the one place that reads an
// error's disposition: a retry holds the progress and goes on by itself, a halt stops with the reason and the next
// step and waits for a person (a rebuild request, or a restart). What a process before this one halted for stays the
// status until something has been applied again, so that restarts by a supervisor hide nothing.
import type { Kysely } from "kysely"
import type pg from "pg"
import type { Logger } from "pino"
import { createDatabase } from "../../db/connect.ts"
import type { QueryDatabase } from "../../db/query-schema.ts"
import { answerRequest } from "./answer-request.ts"
import type { ApplyTarget } from "./apply.ts"
import { loadBase } from "./base-load.ts"
import type { CacheFence } from "./cache-fence.ts"
import type { DeadLetterWork } from "./dead-letter-work.ts"
import { createDecoder } from "./decode.ts"
import { classifyError, EngineError } from "./errors.ts"
import { createFollower, type Follower } from "./follow.ts"
import { findLiveGeneration, type Generation } from "./generations.ts"
import { tablesRead } from "./heartbeat.ts"
import type { KafkaAccess } from "./kafka.ts"
import { type Lease, underLease } from "./lease.ts"
import { createLeaseKeeper } from "./lease-keeper.ts"
import { formatLsn } from "./lsn.ts"
import { jittered, pause, repeat } from "./pacing.ts"
import { pruneAppliedXids } from "./progress.ts"
import type { Projections } from "./projection.ts"
import type { FetchCommittedLsn } from "./proof.ts"
import { publishDeadLetters } from "./publish-dead-letters.ts"
import { findOpenRequest, type OpenRequest, updateRequest } from "./requests.ts"
import type { FetchSchema } from "./schema-registry.ts"
import { findSource, type Source } from "./source.ts"
import { noteStartOffsets } from "./start-offsets.ts"
import {
  confirmProjectorStatus,
  type ProjectorStatus,
  readProjectorState,
  writeProjectorStatus,
} from "./status.ts"

export type ProjectorDeps = {
  source: string
  /** Unique per process. */
  holder: string
  /** How long the lease lasts without being renewed. */
  leaseMs: number
  /** For lease, status and requests, where every statement is short. */
  db: Kysely<QueryDatabase>
  /** For applying and loading, where one may take any time. Named after the holder, so that a successor can end them. */
  pool: pg.Pool
  /** Breaks the pool's connections, answered or not: nothing may run on them without the lease. */
  breakConnections: () => void
  sourceUrl: string
  topicPrefix: string
  projections: Projections
  kafka: KafkaAccess
  fetchSchema: FetchSchema
  fetchCommittedLsn: FetchCommittedLsn
  cacheFence: CacheFence
  maxPendingBytes: number
  /** Most changes that may be parked before the projector halts. */
  deadLetterLimit: number
  /** It has halted, its reason is on record; or it goes on. */
  onHalted?: (isHalted: boolean) => void
  log: Logger
}

export type Projector = {
  start: () => void
  /** Resolves when nothing more will be written and the lease is let go. */
  stop: () => Promise<void>
  status: () => ProjectorStatus
  /** For how long the lease is certainly still ours, by this process' monotonic clock. */
  leaseLeftMs: () => number
}

const statusMs = 2_000
const requestPollMs = 500
const pruneMs = 60_000
const publishMs = 1_000
const retryDelaysMs = { first: 200, longest: 10_000 }

export function createProjector(deps: ProjectorDeps): Projector {
  const { db, source, holder, log } = deps
  const work = createDatabase<QueryDatabase>(deps.pool)
  const stopping = new AbortController()
  const keeper = createLeaseKeeper({ db, source, holder, ttlMs: deps.leaseMs, log })
  let running: Promise<void> = Promise.resolve()
  let status: ProjectorStatus = { state: "starting", reason: null, nextStep: null, detail: {} }
  let attempts = 0
  /** A process before this one, or this one, halted, and nothing has been applied since. */
  let stillHalted = false
  /** Why it began again; kept until something has been applied, for beginning is no sign that the cause is gone. */
  let retrying: ProjectorStatus | null = null

  return {
    start() {
      running = run()
    },
    async stop() {
      stopping.abort()
      await running
    },
    status: () => status,
    leaseLeftMs: keeper.leftMs,
  }

  async function run(): Promise<void> {
    let failures = 0
    while (!stopping.signal.aborted) {
      try {
        const lease = await keeper.acquire(stopping.signal, standBy)
        if (!lease) return
        deps.cacheFence.succeed(lease.formerLeftMs)
        stillHalted = (await readProjectorState(db, source)) === "halted"
        await holdLease(lease, () => {
          failures = 0
        })
      } catch (thrown) {
        if (stopping.signal.aborted) return
        const error = classifyError(thrown)
        // What could be parked has been: a bad row that ends the work is beyond parking.
        if (error.disposition !== "retry") {
          await halt(error)
          continue
        }
        const delayMs = jittered(failures++, retryDelaysMs.first, retryDelaysMs.longest)
        log.warn(
          { err: error, code: error.code, ...error.detail, delayMs: Math.round(delayMs) },
          "the projector starts over",
        )
        retrying = { state: "retrying", reason: error.message, nextStep: null, detail: error.detail }
        await report(retrying)
        await pause(delayMs, stopping.signal)
      }
    }
  }

  function standBy(): void {
    status = {
      state: "waiting",
      reason: "another instance projects; this one stands by",
      nextStep: null,
      detail: {},
    }
  }

  /** Works until the lease is lost, an error ends it or the process stops; then lets the lease go. */
  async function holdLease(lease: Lease, onFollowing: () => void): Promise<void> {
    const held = new AbortController()
    const ended = new AbortController()
    const signal = AbortSignal.any([held.signal, stopping.signal])
    const renewing = keeper.keep(lease, ended.signal, () => {
      held.abort()
      deps.breakConnections()
    })
    const reporting = repeat(statusMs, signal, async () => void (await report(status)))
    const pruning = repeat(pruneMs, signal, () => pruneAppliedXids(db, source))
    // Not waited for at the end: a Kafka that answers nothing must not hold the lease, and what is sent twice is a copy.
    void repeat(publishMs, signal, () => publishParked(lease))
    try {
      while (!signal.aborted) await workOnce(lease, signal, onFollowing)
    } catch (error) {
      // What a process that has lost the lease stumbles over is no finding: its tables may be gone, for one.
      if (!stopping.signal.aborted) await underLease(db, lease, async () => {})
      throw error
    } finally {
      held.abort()
      ended.abort()
      await Promise.allSettled([renewing, reporting, pruning])
      // Nothing cached may outlive the lease under which it was fenced.
      if (stopping.signal.aborted) await deps.cacheFence.stop()
      await keeper.release(lease)
    }
    if (!stopping.signal.aborted) {
      throw new EngineError(
        "dependency-down",
        "The lease was lost to another instance or to a database outage.",
      )
    }
  }

  /** Never fails: what was not sent is sent the next time. */
  async function publishParked(lease: Lease): Promise<void> {
    try {
      const sent = await publishDeadLetters(db, lease, deps.kafka, deps.topicPrefix)
      if (sent > 0) log.info({ sent }, "dead letters were published")
    } catch (error) {
      log.warn({ err: error }, "dead letters could not be published; they are kept and sent later")
    }
  }

  /** Executes an open request, or loads a missing base, or follows until a request comes in. */
  async function workOnce(lease: Lease, signal: AbortSignal, onFollowing: () => void): Promise<void> {
    const request = await findOpenRequest(db, source)
    if (request?.kind === "rebuild") {
      await rebuild(lease, request.id, signal)
      return
    }
    const live = await findLiveGeneration(db, source)
    if (live?.projectionVersion !== deps.projections.version) {
      await load(lease, signal, () => {})
      return
    }
    const known = await findSource(db, source)
    if (!known) throw new EngineError("misconfigured", `Source ${source} is not known.`)
    const target: ApplyTarget = {
      db: work,
      projections: deps.projections,
      ref: live,
      schema: live.schema,
      epoch: known.epoch,
      leaseEpoch: lease.leaseEpoch,
      cacheFence: deps.cacheFence,
    }
    // Nothing is applied now, so what is asked about dead letters can be done: also where following would halt.
    if (request) await answer(lease, target, request, signal, (step) => step().then(() => true))
    else await follow(lease, target, live, known, signal, onFollowing)
  }

  async function answer(
    lease: Lease,
    target: ApplyTarget,
    request: OpenRequest,
    signal: AbortSignal,
    between: DeadLetterWork["between"],
  ): Promise<void> {
    const decoder = createDecoder(deps.fetchSchema)
    const tables = tablesRead(deps.projections)
    await answerRequest({ db, lease, log }, { target, tables, decoder, between, signal }, request)
  }

  async function rebuild(lease: Lease, request: bigint, signal: AbortSignal): Promise<void> {
    log.info({ request: String(request) }, "rebuilding from a snapshot")
    await updateRequest(db, lease, request, { state: "running" })
    try {
      const generation = await load(lease, signal, (progress) => {
        void updateRequest(db, lease, request, { progress }).catch(() => {})
      })
      await updateRequest(db, lease, request, {
        state: "done",
        progress: { generation: generation.generation },
      })
    } catch (error) {
      const classified = classifyError(error)
      if (classified.disposition !== "retry") {
        await updateRequest(db, lease, request, { state: "failed", error: classified.message })
      }
      throw error
    }
  }

  async function load(
    lease: Lease,
    signal: AbortSignal,
    onProgress: (progress: object) => void,
  ): Promise<Generation> {
    let reported = Number.NEGATIVE_INFINITY
    const generation = await loadBase({
      db: work,
      pool: deps.pool,
      sourceUrl: deps.sourceUrl,
      lease,
      projections: deps.projections,
      cacheFence: deps.cacheFence,
      signal,
      noteOffsets: () =>
        noteStartOffsets({
          kafka: deps.kafka,
          decoder: createDecoder(deps.fetchSchema),
          topicPrefix: deps.topicPrefix,
          projections: deps.projections,
          signal,
        }),
      onProgress(progress) {
        status = { state: "loading", reason: progress.step, nextStep: null, detail: progress }
        if (performance.now() - reported < 500) return
        reported = performance.now()
        onProgress(progress)
        void report(status)
      },
    })
    log.info(
      { generation: generation.generation, schema: generation.schema },
      "the generation is complete and serves",
    )
    return generation
  }

  async function follow(
    lease: Lease,
    target: ApplyTarget,
    live: Generation,
    known: Source,
    signal: AbortSignal,
    onFollowing: () => void,
  ): Promise<void> {
    attempts++
    const follower = createFollower({
      target,
      source: known,
      topicPrefix: deps.topicPrefix,
      kafka: deps.kafka,
      fetchSchema: deps.fetchSchema,
      fetchCommittedLsn: deps.fetchCommittedLsn,
      lagGroupId: `lockstep-${source}`,
      groupId: `lockstep-${source}-${lease.leaseEpoch}-${holder}-${attempts}`,
      maxPendingBytes: deps.maxPendingBytes,
      deadLetterLimit: deps.deadLetterLimit,
      log,
    })
    const done = new AbortController()
    const until = AbortSignal.any([signal, done.signal])
    const watching = repeat(100, until, async () => {
      const following = describe(follower, live)
      if (hasApplied(following)) {
        retrying = null
        onFollowing()
      }
      const now = following.state === "waiting" ? following : (retrying ?? following)
      const changed = now.state !== status.state || isAbout(now) !== isAbout(status)
      status = now
      if (changed || stillHalted) await report(now)
    })
    try {
      await follower.start()
      await Promise.race([follower.failed, serveRequests(lease, target, follower, until)])
    } finally {
      done.abort()
      await follower.stop()
      await watching
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

  /** Stops loudly. The way back is a rebuild request or a restart. */
  async function halt(error: EngineError): Promise<void> {
    log.fatal(
      { err: error, code: error.code, nextStep: error.nextStep, ...error.detail },
      "the projector has halted",
    )
    const halted: ProjectorStatus = {
      state: "halted",
      reason: error.message,
      nextStep:
        error.nextStep ?? "Look at the log of the projector for what was refused; mend it and restart.",
      detail: { code: error.code, ...error.detail },
    }
    let isOnRecord = await report(halted)
    deps.onHalted?.(true)
    while (!stopping.signal.aborted) {
      await pause(requestPollMs, stopping.signal)
      if ((await findOpenRequest(db, source).catch(() => null)) !== null) break
      if (isOnRecord) await confirmProjectorStatus(db, source, holder).catch(() => {})
      else isOnRecord = await report(halted)
    }
    deps.onHalted?.(false)
  }

  /** Never fails: a database that is down shows by itself, and the row grows old. @returns whether it was told. */
  async function report(now: ProjectorStatus): Promise<boolean> {
    status = now
    if (stillHalted && isBeginning(now)) return true
    stillHalted = false
    return await writeProjectorStatus(db, source, holder, now).then(
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

const hasApplied = ({ detail }: ProjectorStatus): boolean => Number(detail.transactions) > 0

/** What it does or waits for, without how far it is: `reading`, `applying`, `transaction`, `capture`. */
const isAbout = ({ reason }: ProjectorStatus): string | undefined => reason?.split(" ", 1)[0]

function describe(follower: Follower, live: Generation): ProjectorStatus {
  const state = follower.state()
  if (!state) return { state: "starting", reason: "joining the topics", nextStep: null, detail: {} }
  return {
    state: state.waitingFor ? "waiting" : "following",
    reason: state.waitingFor,
    nextStep: null,
    detail: {
      generation: live.generation,
      position: formatLsn(state.position),
      pendingBytes: state.pendingBytes,
      transactions: state.transactions,
      changes: state.changes,
      disturbed: state.disturbed,
      staleRows: state.staleRows,
      parked: state.parked,
    },
  }
}
