// A connection to Redis that is either known to work, or given up at once. A session lasts from the first good answer
// of a connection to its first failure. No command is queued, and no command is sent again on another connection: a
// restarted Redis may hold old data, so an answer of one session says nothing about the next session.
import { Redis } from "ioredis"
import type { Logger } from "pino"

export type RedisSession = {
  redis: Redis
  /** Changes with every start of the Redis process; a replica or a restored copy has a run id of its own. */
  runId: string
}

export type RedisLink = {
  start(): void
  /** The working session, or null: the caller does without Redis then. */
  session(): RedisSession | null
  /** Ends a session that failed; a new session begins when Redis answers in time again. */
  giveUp(session: RedisSession, error: unknown): void
  stop(): void
}

const probeIntervalMs = 1_000

/** `onLost` is called once for every session that ends, before another can begin. */
export function createRedisLink(options: {
  url: string
  connectionName: string
  budgetMs: number
  log: Logger
  onLost?: (session: RedisSession) => void
}): RedisLink {
  const { log } = options
  const redis = new Redis(options.url, {
    connectionName: options.connectionName,
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 1,
    connectTimeout: 2_000,
    commandTimeout: 5_000,
    retryStrategy: (attempt) => Math.min(1_000, 25 * 2 ** attempt),
  })
  let current: RedisSession | null = null
  let connections = 0
  let timer: NodeJS.Timeout | null = null
  let complained = false

  async function probe(): Promise<void> {
    const connection = connections
    if (timer) clearTimeout(timer)
    timer = null
    try {
      const info = await within(options.budgetMs, redis.info("server"))
      const runId = /^run_id:([0-9a-f]+)/m.exec(info)?.[1]
      if (!runId) throw new Error("INFO names no run_id")
      if (connection !== connections || current) return
      current = { redis, runId }
      complained = false
      log.info({ runId }, "redis answers")
    } catch (error) {
      complain(error)
      if (connection === connections && redis.status === "ready") probeLater()
    }
  }

  function probeLater(): void {
    timer ??= setTimeout(() => void probe(), probeIntervalMs).unref()
  }

  function complain(error: unknown): void {
    if (!complained) log.warn({ err: error }, "redis is not usable; going on without it")
    complained = true
  }

  function lose(error: unknown): void {
    const lost = current
    current = null
    complain(error)
    if (lost) options.onLost?.(lost)
  }

  redis.on("ready", () => void probe())
  redis.on("error", complain)
  redis.on("close", () => {
    connections += 1
    if (timer) clearTimeout(timer)
    timer = null
    lose(new Error("the connection to redis closed"))
  })

  return {
    start: () => {
      redis.connect().catch(complain)
    },
    session: () => current,
    giveUp(session, error) {
      if (current !== session) return
      lose(error)
      probeLater()
    },
    stop() {
      if (timer) clearTimeout(timer)
      complained = true
      redis.disconnect()
    },
  }
}

/**
 * The answer, if it comes in time. A process that was too busy to look reads the answers that have arrived meanwhile
 * before time is called.
 * @throws Error when no answer comes in time; the command that was sent may still be carried out.
 */
export async function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    const timeIsUp = () => reject(new Error(`redis did not answer within ${ms} ms`))
    timer = setTimeout(() => setImmediate(() => setImmediate(timeIsUp)), ms)
  })
  try {
    return await Promise.race([answer, timeout])
  } finally {
    clearTimeout(timer)
  }
}

/** A connection for a program that asks a few questions, disconnects and ends. @throws when Redis is away. */
export async function openRedis(url: string): Promise<Redis> {
  const redis = new Redis(url, { maxRetriesPerRequest: 1, lazyConnect: true, retryStrategy: () => null })
  // The command that waits for an answer meets the error, too.
  redis.on("error", () => {})
  await redis.connect()
  return redis
}
