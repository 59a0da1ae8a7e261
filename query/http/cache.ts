// Redis in front of the busiest answers, as readers see it. An answer is served only when one MGET shows it together
// with the projector's lease for the same cache epoch and generation. The lease must come from the run of Redis that
// this process is connected to. Everything else is a miss, and an absent Redis costs nothing but speed.
// query/cdc/cache/fence.ts has the projector's half, and the reason why the cache is exact.
import type { Logger } from "pino"
import {
  type CacheVersion,
  fenceName,
  leaseName,
  ordered,
  parseLease,
  sameVersion,
  slotOf,
  valueName,
} from "../cdc/cache/layout.ts"
import { createRedisLink, type RedisSession, within } from "../cdc/cache/redis-session.ts"
import { storeValue } from "../cdc/cache/scripts.ts"
import { type Lsn, maxLsn, parseLsn } from "../cdc/vocabulary/lsn.ts"

/** A finished answer with the values of its headers. `history` is the source's identity and timeline. */
export type CachedAnswer = {
  body: string
  etag: string
  position: Lsn
  heartbeatMs: number | null
  epoch: number
  history: string
  generation: number
}

/** `answer` is null on a miss. `reached` is false while Redis is away. */
export type Lookup = { reached: true; answer: CachedAnswer | null } | { reached: false }

export type ReadCache = {
  start(): void
  stop(): void
  /** Never throws and never takes longer than `budgetMs`. */
  lookup(key: string): Promise<Lookup>
  /** Tells the cache epoch and generation of answers, as a read of the database saw them. The newest epoch counts. */
  learn(version: CacheVersion): void
  /** @returns whether the answer is stored: it is not stored when its row has changed since the read. */
  store(key: string, version: CacheVersion, answer: CachedAnswer): Promise<boolean>
  reachable(): boolean
}

const budgetMs = 100
const timeToLiveMs = 3_600_000

type Waiting = { name: string; version: CacheVersion; settle: (lookup: Lookup) => void }

export function createReadCache(options: { redisUrl: string; source: string; log: Logger }): ReadCache {
  const { source } = options
  const link = createRedisLink({
    url: options.redisUrl,
    connectionName: `reader:${source}`,
    budgetMs,
    log: options.log,
  })
  let newest: CacheVersion | null = null
  let waiting: Waiting[] = []

  /** Asks with one command for the lease and for every answer that was wanted in this turn of the event loop. */
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
          answer: judge(session, item.version, replies[0] ?? null, replies[index + 1] ?? null),
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
      const version = newest
      if (!link.session()) return Promise.resolve({ reached: false })
      if (!version) return Promise.resolve({ reached: true, answer: null })
      return new Promise((settle) => {
        waiting.push({ name: valueName(source, version, key), version, settle })
        if (waiting.length === 1) setImmediate(() => void flush())
      })
    },

    learn(version) {
      // Reads may return out of order; epochs only rise.
      if (!newest || version.cacheEpoch >= newest.cacheEpoch) newest = version
    },

    async store(key, version, answer) {
      const session = link.session()
      if (!session) return false
      try {
        const stored = session.redis.eval(
          storeValue,
          2,
          fenceName(source),
          valueName(source, version, key),
          ordered(version.cacheEpoch),
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
 * The answer that an MGET showed. A change of the answer up to the lease's position would have deleted it, so it is the
 * answer at the lease's position, too: an answer read at position 100 under a lease at 140 is the answer at 140.
 */
function judge(
  session: RedisSession,
  version: CacheVersion,
  leaseText: string | null,
  value: string | null,
): CachedAnswer | null {
  const lease = leaseText === null ? null : parseLease(leaseText)
  if (!lease || value === null) return null
  if (lease.runId !== session.runId || !sameVersion(lease.version, version)) return null
  const answer = decodeAnswer(value, version.generation)
  if (!answer) return null
  return {
    ...answer,
    position: maxLsn(answer.position, lease.position),
    // The later heartbeat belongs to the later position, not to the later clock: a clock may be set back.
    heartbeatMs:
      lease.position >= answer.position
        ? (lease.heartbeatMs ?? answer.heartbeatMs)
        : (answer.heartbeatMs ?? lease.heartbeatMs),
  }
}

// One line of fields, then the body as it goes to clients: the body is never parsed on the way.
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
