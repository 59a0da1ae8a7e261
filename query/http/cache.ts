// Redis in front of the busiest answers, as readers see it. An answer is served only when one MGET shows it
// together with the projector's lease for the same cache epoch and generation, given in the run of Redis this
// process is connected to; everything else is a miss, and Redis being away costs nothing but speed.
// The other half, and why this is exact, is in query/cdc/cache/fence.ts.
import type { Logger } from "pino"
import {
  type CachePlace,
  fenceName,
  leaseName,
  ordered,
  parseLease,
  samePlace,
  slotOf,
  valueName,
} from "../cdc/cache/layout.ts"
import { createRedisLink, type RedisSession, within } from "../cdc/cache/redis-session.ts"
import { storeValue } from "../cdc/cache/scripts.ts"
import { type Lsn, maxLsn, parseLsn } from "../cdc/vocabulary/lsn.ts"

/** A finished answer with what its headers say. `history` is the source's identity and timeline. */
export type CachedAnswer = {
  body: string
  etag: string
  position: Lsn
  heartbeatMs: number | null
  epoch: number
  history: string
  generation: number
}

/** `answer` is null on a miss. Not reached: Redis is away. */
export type Lookup = { reached: true; answer: CachedAnswer | null } | { reached: false }

export type ReadCache = {
  start(): void
  stop(): void
  /** Never throws and never takes longer than the budget. */
  lookup(key: string): Promise<Lookup>
  /** Tells where answers belong now, as the newest read of the database said. */
  learn(place: CachePlace): void
  /** @returns whether the answer is stored; it is not when the row has changed since it was read. */
  store(key: string, place: CachePlace, answer: CachedAnswer): Promise<boolean>
  reachable(): boolean
}

const budgetMs = 100
const timeToLiveMs = 3_600_000

type Waiting = { name: string; place: CachePlace; settle: (lookup: Lookup) => void }

export function createReadCache(options: { redisUrl: string; source: string; log: Logger }): ReadCache {
  const { source } = options
  const link = createRedisLink({
    url: options.redisUrl,
    connectionName: `reader:${source}`,
    budgetMs,
    log: options.log,
  })
  let newest: CachePlace | null = null
  let waiting: Waiting[] = []

  /** Asks for the lease and every answer wanted in this turn of the event loop with one command. */
  async function flush(): Promise<void> {
    const asked = waiting
    waiting = []
    const session = link.session()
    if (!session) {
      for (const { settle } of asked) settle({ reached: false })
      return
    }
    try {
      const replies = await within(
        budgetMs,
        session.redis.mget(leaseName(source), ...asked.map(({ name }) => name)),
      )
      asked.forEach((item, index) => {
        item.settle({
          reached: true,
          answer: judge(session, item.place, replies[0] ?? null, replies[index + 1] ?? null),
        })
      })
    } catch (error) {
      link.giveUp(session, error)
      for (const { settle } of asked) settle({ reached: false })
    }
  }

  return {
    start: () => link.start(),
    stop: () => link.stop(),
    reachable: () => link.session() !== null,

    lookup(key) {
      const place = newest
      if (!link.session()) return Promise.resolve({ reached: false })
      if (!place) return Promise.resolve({ reached: true, answer: null })
      return new Promise((settle) => {
        waiting.push({ name: valueName(source, place, key), place, settle })
        if (waiting.length === 1) setImmediate(() => void flush())
      })
    },

    learn(place) {
      // Reads may return out of order; epochs only rise.
      if (!newest || place.cacheEpoch >= newest.cacheEpoch) newest = place
    },

    async store(key, place, answer) {
      const session = link.session()
      if (!session) return false
      try {
        const stored = session.redis.eval(
          storeValue,
          2,
          fenceName(source),
          valueName(source, place, key),
          ordered(place.cacheEpoch),
          ordered(answer.position),
          slotOf(key),
          encodeAnswer(answer),
          timeToLiveMs,
        )
        return (await within(budgetMs, stored)) === 1
      } catch (error) {
        link.giveUp(session, error)
        return false
      }
    },
  }
}

/**
 * What an MGET showed, as an answer. Every change of it up to the lease's position would have deleted it, so it
 * is the answer at that position too.
 */
function judge(
  session: RedisSession,
  place: CachePlace,
  leaseText: string | null,
  value: string | null,
): CachedAnswer | null {
  const lease = leaseText === null ? null : parseLease(leaseText)
  if (!lease || value === null) return null
  if (lease.runId !== session.runId || !samePlace(lease.place, place)) return null
  const answer = decodeAnswer(value, place.generation)
  if (!answer) return null
  return {
    ...answer,
    position: maxLsn(answer.position, lease.position),
    // The later heartbeat is that of the later position, not that of the later clock: a clock may be set back.
    heartbeatMs:
      lease.position >= answer.position
        ? (lease.heartbeatMs ?? answer.heartbeatMs)
        : (answer.heartbeatMs ?? lease.heartbeatMs),
  }
}

// One line of fields, then the body as it goes to clients: it is never parsed on the way.
const encodeAnswer = ({ position, heartbeatMs, epoch, history, etag, body }: CachedAnswer): string =>
  `${position} ${heartbeatMs ?? "-"} ${epoch} ${history} ${etag}\n${body}`

function decodeAnswer(value: string, generation: number): CachedAnswer | null {
  const end = value.indexOf("\n")
  const [position, heartbeat, epoch, history, etag] = value.slice(0, end).split(" ")
  if (end < 0 || !position || !heartbeat || !epoch || !history || !etag) return null
  return {
    body: value.slice(end + 1),
    etag,
    position: parseLsn(position),
    heartbeatMs: heartbeat === "-" ? null : Number(heartbeat),
    epoch: Number(epoch),
    history,
    generation,
  }
}
