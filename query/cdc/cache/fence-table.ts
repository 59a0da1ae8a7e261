// The fence table and the lease in Redis as one projector uses them. Every operation is one script in one session,
// within a time budget. A script that failed or was late may still be carried out, so every lease that was ever sent
// counts as given, and our own clock tells when the last lease is over.
import { randomUUID } from "node:crypto"
import type { Lsn } from "../vocabulary/lsn.ts"
import { type CacheVersion, fenceName, formatLease, leaseName, ordered, slotOf, valueName } from "./layout.ts"
import { createRedisClock, type RedisClock } from "./redis-clock.ts"
import { type RedisSession, within } from "./redis-session.ts"
import { beginEpoch, endLease, fenceValues, renewLease, takeOver } from "./scripts.ts"

/** The position and the heartbeat that the last commit made visible. */
export type Served = CacheVersion & { position: Lsn; heartbeatAt: Date | null }

/** `lost`: the table is another's or gone, and no lease of ours is left. `used`: this epoch was served before. */
export type TableReply = "ok" | "lost" | "used"

/** Every operation throws when Redis fails, is late, or has set its clock back. */
export type FenceTable = {
  /** The first operation in every session: ends every lease and shuts out a former owner. */
  takeOver(session: RedisSession): Promise<void>
  /** Empties the table for a new epoch and gives its first lease. */
  beginEpoch(session: RedisSession, served: Served, leaseMs: number): Promise<TableReply>
  renewLease(session: RedisSession, served: Served, leaseMs: number): Promise<TableReply>
  /** Deletes the values and refuses older values from now on. */
  fence(
    session: RedisSession,
    version: CacheVersion,
    position: Lsn,
    keys: readonly string[],
  ): Promise<TableReply>
  endLease(session: RedisSession): Promise<void>
  /** By `performance.now()`: when every lease that may have been given is over. */
  leaseOverAt(): number
}

const keysPerScript = 1_000
/** For clocks that run unevenly, and for the moment between taking a command and carrying it out. */
const marginMs = 100

export function createFenceTable(options: { source: string; budgetMs: number }): FenceTable {
  const { source, budgetMs } = options
  const owner = randomUUID()
  const names = [fenceName(source), leaseName(source)]
  let redis: { session: RedisSession; clock: RedisClock } | null = null
  let leaseEndsAt = Number.NEGATIVE_INFINITY

  async function run(
    session: RedisSession,
    script: string,
    values: readonly string[],
    args: readonly string[],
  ): Promise<TableReply> {
    const sentAt = performance.now()
    const keys = [...names, ...values]
    const reply = await within(budgetMs, session.redis.eval(script, keys.length, ...keys, owner, ...args))
    const { said, redisMs } = parseReply(reply)
    const reading = { redisMs, sentAt, answeredAt: performance.now() }
    if (redis?.session !== session) {
      redis = { session, clock: createRedisClock(reading) }
      return said
    }
    const setBackMs = redis.clock.read(reading)
    if (setBackMs > 0) {
      leaseEndsAt += setBackMs
      throw new Error(`redis' clock was set back by ${Math.round(setBackMs)} ms`)
    }
    return said
  }

  /** The lease's text, and its end on Redis' clock: a command held up beyond this end gives no lease any more. */
  function grant(session: RedisSession, served: Served, leaseMs: number): [lease: string, end: string] {
    if (redis?.session !== session) throw new Error("no lease before the table is taken over")
    const endsAt = performance.now() + leaseMs
    leaseEndsAt = Math.max(leaseEndsAt, endsAt)
    const lease = formatLease({
      version: served,
      position: served.position,
      heartbeatMs: served.heartbeatAt && Math.max(0, served.heartbeatAt.getTime()),
      runId: session.runId,
    })
    return [lease, String(redis.clock.earliest(endsAt))]
  }

  return {
    async takeOver(session) {
      await run(session, takeOver, [], [])
    },
    async beginEpoch(session, served, leaseMs) {
      const epoch = [ordered(served.cacheEpoch), ordered(served.position)]
      return await run(session, beginEpoch, [], [...epoch, ...grant(session, served, leaseMs)])
    },
    async renewLease(session, served, leaseMs) {
      return await run(session, renewLease, [], grant(session, served, leaseMs))
    },
    async fence(session, version, position, keys) {
      const replies = await Promise.all(
        inParts(keys).map((part) => {
          const values = part.map((key) => valueName(source, version, key))
          return run(session, fenceValues, values, [ordered(position), ...part.map(slotOf)])
        }),
      )
      return replies.find((said) => said !== "ok") ?? "ok"
    },
    async endLease(session) {
      await run(session, endLease, [], [])
    },
    leaseOverAt: () => leaseEndsAt + marginMs,
  }
}

function inParts(keys: readonly string[]): string[][] {
  const parts: string[][] = []
  for (let at = 0; at < keys.length; at += keysPerScript) parts.push(keys.slice(at, at + keysPerScript))
  return parts
}

function parseReply(reply: unknown): { said: TableReply; redisMs: number } {
  if (!Array.isArray(reply)) throw new TypeError("a script of the fence table gave no answer that is a list")
  const [said, seconds, micros] = reply.map(String)
  if (said !== "ok" && said !== "lost" && said !== "used") throw new TypeError(`unknown answer "${said}"`)
  return { said, redisMs: Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000) }
}
