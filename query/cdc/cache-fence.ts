// Step 4e of the flow, and the promise behind the cache: a cached answer is never older than the database.
//
// Before the projector commits position P it calls `fence(P, keys)`: one script deletes the touched answers and
// notes P in their slots of the fence table, and a reader's set is refused below its slot. So whatever a reader
// read before P cannot come (back) into the cache, however long it stalls. Readers serve an answer only if the
// same MGET also shows the lease, and the lease lives a second at most: where fencing is impossible the commit
// waits until the lease is certainly over, and then nothing cached is served at all.
//
// A lease belongs to one cache epoch, which is part of every key and is kept in Postgres. Once an epoch's lease
// has lapsed that epoch never serves again: the next one is begun by a commit that raises it ("raise-epoch"),
// and only `announce`, called after that commit, gives it a lease. Until then this is `down`, and Redis may be
// slow, full, empty, restarted with old data or gone: that costs speed and nothing else.
//   down -> raised: `fence` took the table over; the caller raises the epoch in its transaction
//   raised -> serving: `announce` after the commit made a new table and the first lease
//   serving -> lapsing: a script failed or was late, or the connection broke; the last lease may still be alive
//   lapsing -> down: it is over. serving -> down at once when Redis itself says that our lease is gone
// - A transaction that aborts after `fence` has deleted answers and raised slots for nothing: the next readers
//   go to the database, and their sets are refused until the position passes the slot. Nothing wrong is served.
// - A commit with unknown outcome is never announced: the epoch may have been raised or not, and the next
//   `fence` asks for another one.
// - Another projector that takes over owns the table from its first `fence` on; scripts of the former owner are
//   refused, and `heldForMs` ends its lease in time even if the new owner cannot reach Redis.
// - A Redis restarted with an old dump may show an old lease and old answers: readers compare the run of Redis
//   named in the lease with the one they are connected to.
// - What is trusted: clocks run evenly. Redis' clock set back is noticed at the next renewal (a quarter second).
import { randomUUID } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import type { Logger } from "pino"
import {
  type CachePlace,
  fenceName,
  formatLease,
  leaseName,
  ordered,
  samePlace,
  slotOf,
  valueName,
} from "./cache-layout.ts"
import { beginEpoch, endLease, fenceValues, renewLease, takeOver } from "./cache-scripts.ts"
import type { Lsn } from "./lsn.ts"
import { createRedisClock, type RedisClock } from "./redis-clock.ts"
import { createRedisLink, type RedisSession, within } from "./redis-session.ts"

/** What the last commit made visible. */
export type Served = CachePlace & { position: Lsn; heartbeatAt: Date | null }

export type CacheFence = {
  start(): void
  /** Ends the lease and waits until it is over; afterwards another projector may write. */
  stop(): Promise<void>
  /**
   * To be called inside every apply transaction (also without keys), as the last step before its commit.
   * "raise-epoch": the transaction must also do `cache_epoch = cache_epoch + 1`. "all" instead of keys asks for
   * that; a switch of the live generation needs it. Never throws; takes a second or so once per outage.
   */
  fence(position: Lsn, keys: readonly string[] | "all"): Promise<"fenced" | "raise-epoch">
  /** To be called after every commit whose outcome is known, with what it made visible. */
  announce(served: Served): void
}

const monotonicMs = (): number => performance.now()

const leaseMs = 1_000
const renewIntervalMs = 250
/** A commit moves the lease's position at most this often. */
const earlyRenewalMs = 50
/** For clocks that run unevenly and for the moment in which Redis takes a command and carries it out. */
const marginMs = 100
const budgetMs = 150
/** Beyond this a new epoch costs less than deleting. */
const maxKeys = 10_000
const keysPerScript = 1_000
const retryMs = { first: 1_000, last: 30_000 }

type State =
  | { name: "down"; retryAt: number }
  | { name: "raised"; session: RedisSession; clock: RedisClock }
  | { name: "serving"; session: RedisSession; clock: RedisClock; place: CachePlace; since: number }
  | { name: "lapsing"; until: number; retryAt: number }

/**
 * `heldForMs` says how long this process is certainly still the projector; a lease never outlives that.
 */
export function createCacheFence(deps: {
  redisUrl: string
  source: string
  log: Logger
  heldForMs?: () => number
}): CacheFence {
  const { source, log } = deps
  const heldForMs = deps.heldForMs ?? (() => Number.POSITIVE_INFINITY)
  const owner = randomUUID()
  const names = [fenceName(source), leaseName(source)]
  const link = createRedisLink({
    url: deps.redisUrl,
    connectionName: `projector of ${source}`,
    budgetMs,
    log,
    onLost: (session) => lose(session, null),
  })
  // A projector that died a moment ago may have left a lease.
  let state: State = { name: "lapsing", until: monotonicMs() + leaseMs + marginMs, retryAt: 0 }
  let served: Served | null = null
  let beginning: Promise<void> | null = null
  let timer: NodeJS.Timeout | null = null
  let renewing = false
  let renewedAt = Number.NEGATIVE_INFINITY
  let leaseEndsAt = Number.NEGATIVE_INFINITY
  let lastEpoch = -1n
  let failures = 0
  let stopped = false

  /** Runs a script on the session in time. @throws when Redis fails, is late, or set its clock back. */
  async function run(
    session: RedisSession,
    clock: RedisClock | null,
    script: string,
    values: readonly string[],
    args: readonly string[],
  ): Promise<{ said: string; clock: RedisClock }> {
    const sentAt = monotonicMs()
    const keys = [...names, ...values]
    const reply = parseReply(
      await within(budgetMs, session.redis.eval(script, keys.length, ...keys, owner, ...args)),
    )
    const reading = { redisMs: reply.redisMs, sentAt, answeredAt: monotonicMs() }
    if (!clock) return { said: reply.said, clock: createRedisClock(reading) }
    const setBackMs = clock.read(reading)
    if (setBackMs > 0) {
      leaseEndsAt += setBackMs
      throw new Error(`redis' clock was set back by ${Math.round(setBackMs)} ms`)
    }
    return { said: reply.said, clock }
  }

  /** From now on a lease may be alive until the moment this returns, by Redis' clock. */
  function grantLease(clock: RedisClock, lengthMs: number): string {
    const now = monotonicMs()
    renewedAt = now
    leaseEndsAt = Math.max(leaseEndsAt, now + lengthMs)
    return String(clock.earliest(now + lengthMs))
  }

  function goDown(delayMs: number): void {
    state = { name: "down", retryAt: monotonicMs() + delayMs }
  }

  const nextDelayMs = (): number => delayOf(failures++)

  /** The session is of no more use. Whatever lease was granted in it may live on for a while. */
  function lose(session: RedisSession, error: unknown): void {
    if (error !== null) link.giveUp(session, error)
    if (state.name === "raised" && state.session === session) goDown(nextDelayMs())
    if (state.name !== "serving" || state.session !== session) return
    // It held for longer than the last wait was: this is a new outage.
    if (monotonicMs() - state.since > delayOf(failures - 1)) failures = 0
    lapseFrom(monotonicMs() + nextDelayMs())
    log.warn({ source }, "the cache is not fenced any more; its lease runs out")
  }

  function lapseFrom(retryAt: number): void {
    state = { name: "lapsing", until: leaseEndsAt + marginMs, retryAt }
  }

  async function takeOverTable(): Promise<"fenced" | "raise-epoch"> {
    const session = link.session()
    if (!session || stopped || (state.name === "down" && monotonicMs() < state.retryAt)) return "fenced"
    try {
      const { clock } = await run(session, null, takeOver, [], [])
      if (link.session() !== session) return "fenced"
      state = { name: "raised", session, clock }
      return "raise-epoch"
    } catch (error) {
      goDown(nextDelayMs())
      link.giveUp(session, error)
      return "fenced"
    }
  }

  async function begin(session: RedisSession, clock: RedisClock, first: Served): Promise<void> {
    const place = { cacheEpoch: first.cacheEpoch, generation: first.generation }
    const lengthMs = Math.min(leaseMs, heldForMs())
    state = { name: "serving", session, clock, place, since: monotonicMs() }
    try {
      const lease = leaseText(session, place, first)
      const end = grantLease(clock, Math.max(0, lengthMs))
      const { said } = await run(
        session,
        clock,
        beginEpoch,
        [],
        [ordered(first.cacheEpoch), ordered(first.position), lease, end],
      )
      if (said !== "ok") {
        log.warn({ source, said, cacheEpoch: first.cacheEpoch }, "the cache epoch could not begin")
        if (state.name === "serving" && state.session === session) goDown(nextDelayMs())
      }
    } catch (error) {
      lose(session, error)
    }
  }

  async function renew(): Promise<void> {
    if (state.name !== "serving" || beginning || renewing || !served) return
    const { session, clock, place } = state
    const lengthMs = Math.min(leaseMs, heldForMs())
    if (lengthMs <= 0) return
    renewing = true
    try {
      const lease = leaseText(session, place, served)
      const { said } = await run(session, clock, renewLease, [], [lease, grantLease(clock, lengthMs)])
      if (said !== "ok" && state.name === "serving" && state.session === session) goDown(0)
    } catch (error) {
      lose(session, error)
    } finally {
      renewing = false
    }
  }

  async function fenceKeys(position: Lsn, keys: readonly string[]): Promise<boolean> {
    if (state.name !== "serving") return false
    const { session, clock, place } = state
    try {
      const scripts = chunks(keys).map((chunk) =>
        run(
          session,
          clock,
          fenceValues,
          chunk.map((key) => valueName(source, place, key)),
          [ordered(position), ...chunk.map(slotOf)],
        ),
      )
      const replies = await Promise.all(scripts)
      if (replies.every(({ said }) => said === "ok")) return isServing(session)
      // Redis answered that the table is another's or gone, and so is our lease.
      if (isServing(session)) goDown(0)
    } catch (error) {
      lose(session, error)
    }
    return false
  }

  const isServing = (session: RedisSession): boolean =>
    state.name === "serving" && state.session === session && link.session() === session

  /** Takes the lease away, or starts to wait until it is over. */
  async function withdraw(): Promise<void> {
    if (state.name !== "serving") return
    const { session, clock } = state
    // First, so that no renewal is sent after the lease was ended.
    lapseFrom(0)
    try {
      await run(session, clock, endLease, [], [])
      if (link.session() === session) goDown(0)
    } catch (error) {
      lapseFrom(monotonicMs() + nextDelayMs())
      link.giveUp(session, error)
    }
  }

  async function lapse(): Promise<void> {
    while (state.name === "lapsing") {
      const leftMs = state.until - monotonicMs()
      if (leftMs > 0) await sleep(leftMs)
      if (state.name === "lapsing" && monotonicMs() >= state.until) {
        state = { name: "down", retryAt: state.retryAt }
      }
    }
  }

  return {
    start() {
      link.start()
      timer = setInterval(() => void renew(), renewIntervalMs)
    },

    async stop() {
      stopped = true
      if (timer) clearInterval(timer)
      await beginning
      await withdraw()
      link.stop()
      if (leaseEndsAt > monotonicMs()) await lapse()
    },

    async fence(position, keys) {
      await beginning
      if (state.name === "serving") {
        if (keys === "all" || keys.length > maxKeys) await withdraw()
        else if (await fenceKeys(position, keys)) return "fenced"
      }
      await lapse()
      return await takeOverTable()
    },

    announce(next) {
      const before = served
      served = next
      if (state.name === "raised" && !stopped) {
        if (next.cacheEpoch <= lastEpoch) return
        lastEpoch = next.cacheEpoch
        beginning = begin(state.session, state.clock, next).finally(() => {
          beginning = null
        })
      } else if (state.name === "serving") {
        if (!samePlace(state.place, next)) {
          const session = state.session
          lose(session, new Error("another epoch or generation was announced than the one that is fenced"))
        } else if (before?.position !== next.position && monotonicMs() - renewedAt >= earlyRenewalMs) {
          void renew()
        }
      }
    },
  }
}

const leaseText = (session: RedisSession, place: CachePlace, served: Served): string =>
  formatLease({
    place,
    position: served.position,
    heartbeatMs: served.heartbeatAt && Math.max(0, served.heartbeatAt.getTime()),
    runId: session.runId,
  })

const delayOf = (failures: number): number => Math.min(retryMs.last, retryMs.first * 2 ** failures)

function chunks(keys: readonly string[]): string[][] {
  const parts: string[][] = []
  for (let at = 0; at < keys.length; at += keysPerScript) parts.push(keys.slice(at, at + keysPerScript))
  return parts
}

function parseReply(reply: unknown): { said: string; redisMs: number } {
  if (!Array.isArray(reply)) throw new TypeError("a script of the fence answered something else")
  const [said, seconds, micros] = reply.map(String)
  return { said: said ?? "", redisMs: Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000) }
}
