// Step 4e of the flow, and the promise behind the cache: a cached answer is never older than the database.
// Before the projector commits position P it calls `fence(P, keys)`: one script deletes the touched answers and notes P
// in their slots of the fence table, and a reader's set is refused below its slot. Readers serve an answer only if the
// same MGET also shows the lease, which lives a second at most. Where fencing is impossible, the commit waits until the
// lease is certainly over; then no cached answer is served at all. Example:
//   position 700   a reader reads the answer `k` from the database and stalls, for however long
//   fence 800      `k` is deleted, its slot shows 800; then the projector commits 800
//   position 800   the first reader sets its answer of 700: refused, because 700 < 800; an answer of 800 is stored
//
// A lease belongs to one cache epoch; the epoch is part of every key and is kept in Postgres. Once an epoch's lease has
// lapsed, that epoch never serves again. A commit that raises the epoch ("raise-epoch") begins the next epoch, and only
// `announce`, called after that commit, gives it a lease (state.ts has the states). Until then Redis may be slow, full,
// empty, restarted with old data or gone: this costs speed and nothing else.
// - A transaction that aborts after `fence` has deleted answers and raised slots for nothing: readers go to the
//   database, and their sets are refused until the position reaches the slot. No wrong answer is served.
// - A commit with unknown outcome is never announced: its epoch may be raised or not; the next `fence` asks anew.
// - A Redis restarted with an old dump shows an old lease: readers compare the lease's Redis run with their own.
import type { Logger } from "pino"
import type { Lsn } from "../vocabulary/lsn.ts"
import { createFenceTable, type Served } from "./fence-table.ts"
import { sameVersion } from "./layout.ts"
import { createRedisLink, type RedisSession } from "./redis-session.ts"
import { type AnswerRemoval, createAnswerRemoval } from "./removal.ts"
import { type CacheState, delayOf, leaseMs, sleepUntil, succession } from "./state.ts"

export type CacheFence = {
  start(): void
  /** To be called when this process has become the projector; the former projector may go on for so long. */
  succeed(formerLeftMs: number): void
  /** Ends the lease and waits until it is over; afterwards another projector may write. */
  stop(): Promise<void>
  /**
   * To be called inside every apply transaction (also without keys), as the last step before its commit. After
   * "raise-epoch" the transaction must also do `cache_epoch = cache_epoch + 1`. "all" instead of keys asks for a raised
   * epoch; a switch of the live generation needs it. The fence never throws; it takes about a second once per outage.
   */
  fence(position: Lsn, keys: readonly string[] | "all"): Promise<"fenced" | "raise-epoch">
  /** To be called after every commit whose outcome is known, with the position that it made visible. */
  announce(served: Served): void
} & AnswerRemoval

const renewIntervalMs = 250
/** A commit moves the lease's position at most this often. */
const earlyRenewalMs = 50
const budgetMs = 150
/** For more keys than this a new epoch costs less than deleting. */
const mostKeys = 10_000
const succeedPollMs = 50

/** `heldForMs` says how long this process is certainly still the projector; a lease never outlives that time. */
export function createCacheFence(deps: {
  redisUrl: string
  source: string
  log: Logger
  heldForMs?: () => number
}): CacheFence {
  const { source, log } = deps
  const heldForMs = deps.heldForMs ?? (() => Number.POSITIVE_INFINITY)
  const table = createFenceTable({ source, budgetMs })
  const link = createRedisLink({
    url: deps.redisUrl,
    connectionName: `projector:${source}`,
    budgetMs,
    log,
    onLost: (session) => lose(session),
  })
  const answers = createAnswerRemoval({ link, source, log })
  let state: CacheState = succession(0)
  let served: Served | null = null
  let beginning: Promise<void> | null = null
  let timer: NodeJS.Timeout | null = null
  let renewing = false
  let renewedAt = Number.NEGATIVE_INFINITY
  let lastEpoch = -1n
  let failures = 0
  let stopped = false

  const isServing = (session: RedisSession): boolean =>
    state.name === "serving" && state.session === session && link.session() === session

  /** How long the next lease may last. */
  const lengthMs = (): number => Math.min(leaseMs, heldForMs())

  function goDown(delayMs: number): void {
    state = { name: "down", retryAt: performance.now() + delayMs }
  }

  function lapse(retryAt: number): void {
    state = { name: "lapsing", until: table.leaseOverAt(), retryAt }
  }

  /** The session is of no more use. A lease that was given in it may live on for a while. */
  function lose(session: RedisSession): void {
    if (state.name === "raised" && state.session === session) goDown(delayOf(failures++))
    if (state.name !== "serving" || state.session !== session) return
    const now = performance.now()
    // The cache has served for longer than the last wait was: this is a new outage.
    if (now - state.since > delayOf(failures - 1)) failures = 0
    lapse(now + delayOf(failures++))
    log.warn({ source }, "the cache is not fenced any more; its lease runs out")
  }

  function fail(session: RedisSession, error: unknown): void {
    link.giveUp(session, error)
    lose(session)
  }

  async function takeOver(): Promise<"fenced" | "raise-epoch"> {
    const session = link.session()
    const now = performance.now()
    if (!session || stopped || ("retryAt" in state && now < state.retryAt)) return "fenced"
    try {
      await table.takeOver(session)
      if (link.session() !== session) return "fenced"
      state = { name: "raised", session }
      return "raise-epoch"
    } catch (error) {
      const retryAt = performance.now() + delayOf(failures++)
      state = state.name === "succeeding" ? { ...state, retryAt } : { name: "down", retryAt }
      link.giveUp(session, error)
      return "fenced"
    }
  }

  /** Tries to end the leases of the former projector, until they are over by themselves. */
  async function takeOverFromFormer(): Promise<boolean> {
    // A lease of this process' own must be over in any case: a command that was sent may still be carried out.
    await sleepUntil(table.leaseOverAt())
    while (state.name === "succeeding") {
      if ((await takeOver()) === "raise-epoch") return true
      if (state.name !== "succeeding") break
      if (performance.now() >= state.until) goDown(Math.max(0, state.retryAt - performance.now()))
      else await sleepUntil(Math.min(state.until, performance.now() + succeedPollMs))
    }
    return false
  }

  async function begin(session: RedisSession, first: Served): Promise<void> {
    state = { name: "serving", session, first, since: performance.now() }
    renewedAt = performance.now()
    try {
      const said = await table.beginEpoch(session, first, Math.max(0, lengthMs()))
      if (said === "ok" || !isServing(session)) return
      log.warn({ source, said, cacheEpoch: first.cacheEpoch }, "the cache epoch could not begin")
      goDown(delayOf(failures++))
    } catch (error) {
      fail(session, error)
    }
  }

  async function renew(): Promise<void> {
    if (state.name !== "serving" || beginning || renewing || !served || lengthMs() <= 0) return
    const { session } = state
    renewing = true
    renewedAt = performance.now()
    try {
      const said = await table.renewLease(session, served, lengthMs())
      if (said !== "ok" && isServing(session)) goDown(0)
    } catch (error) {
      fail(session, error)
    } finally {
      renewing = false
    }
  }

  async function fenceKeys(session: RedisSession, first: Served, position: Lsn, keys: readonly string[]) {
    try {
      const said = await table.fence(session, first, position, keys)
      if (said === "ok") return isServing(session)
      if (isServing(session)) goDown(0)
    } catch (error) {
      fail(session, error)
    }
    return false
  }

  /** Takes the lease away, or begins to wait until it is over. */
  async function withdraw(session: RedisSession): Promise<void> {
    // The state changes first, so that no renewal is sent after the lease was ended.
    lapse(0)
    try {
      await table.endLease(session)
      if (link.session() === session) goDown(0)
    } catch (error) {
      lapse(performance.now() + delayOf(failures++))
      link.giveUp(session, error)
    }
  }

  async function waitUntilLapsed(): Promise<void> {
    while (state.name === "lapsing") {
      await sleepUntil(state.until)
      if (state.name === "lapsing" && performance.now() >= state.until) {
        state = { name: "down", retryAt: state.retryAt }
      }
    }
  }

  return {
    forget: (keys) => answers.forget(keys),
    start() {
      link.start()
      timer = setInterval(() => void renew(), renewIntervalMs)
    },

    async stop() {
      stopped = true
      if (timer) clearInterval(timer)
      await beginning
      if (state.name === "serving") await withdraw(state.session)
      link.stop()
      await sleepUntil(table.leaseOverAt())
    },

    succeed(formerLeftMs) {
      state = succession(formerLeftMs)
    },

    async fence(position, keys) {
      await beginning
      if (state.name === "serving") {
        const { session, first } = state
        if (keys === "all" || keys.length > mostKeys) await withdraw(session)
        else if (await fenceKeys(session, first, position, keys)) return "fenced"
      }
      if (state.name === "succeeding" && (await takeOverFromFormer())) return "raise-epoch"
      await waitUntilLapsed()
      return await takeOver()
    },

    announce(next) {
      const before = served
      served = next
      if (state.name === "raised" && !stopped) {
        if (next.cacheEpoch <= lastEpoch) return
        lastEpoch = next.cacheEpoch
        beginning = begin(state.session, next).finally(() => {
          beginning = null
        })
      } else if (state.name === "serving") {
        if (!sameVersion(state.first, next)) {
          fail(state.session, new Error("the announced epoch and generation are not the fenced ones"))
        } else if (before?.position !== next.position && performance.now() - renewedAt >= earlyRenewalMs) {
          void renew()
        }
      }
      void (beginning ?? Promise.resolve()).then(() => answers.removeForgotten())
    },
  }
}
