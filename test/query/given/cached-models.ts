// A projector and readers around a cache, over read models that are a map in memory: keys with the position of
// their last change. Commits are atomic, as Postgres' are, so the cache is all that can be wrong.
import { setTimeout as pause } from "node:timers/promises"
import { type CacheFence, createCacheFence } from "../../../query/cdc/cache/fence.ts"
import { type Lsn, toLsn } from "../../../query/cdc/vocabulary/lsn.ts"
import { createReadCache, type ReadCache } from "../../../query/http/cache.ts"
import { quiet } from "../../support/quiet-log.ts"

export type CachedModels = {
  position: Lsn
  cacheEpoch: bigint
  generation: number
  values: Map<string, Lsn>
}

export const createCachedModels = (): CachedModels => ({
  position: toLsn(1_000n),
  cacheEpoch: 1n,
  generation: 1,
  values: new Map(),
})

export type TestProjector = {
  fence: CacheFence
  /** One apply that changes the keys. @returns how long fencing took, in ms. */
  apply(keys: readonly string[] | "all", options?: ApplyOptions): Promise<number>
}

export type ApplyOptions = {
  /** Happens between fence and commit, and between commit and its announcement. */
  beforeCommit?: () => Promise<unknown>
  afterCommit?: () => Promise<unknown>
  abort?: boolean
  /** Commits, but the projector does not learn it. */
  unknown?: boolean
}

export function createTestProjector(
  models: CachedModels,
  redisUrl: string,
  heldForMs?: () => number,
): TestProjector {
  const fence = createCacheFence({
    redisUrl,
    source: "test",
    log: quiet,
    ...(heldForMs ? { heldForMs } : {}),
  })
  fence.start()
  return {
    fence,
    async apply(keys, { beforeCommit, afterCommit, abort = false, unknown = false } = {}) {
      const position = toLsn(models.position + 8n)
      const startedAt = performance.now()
      const outcome = await fence.fence(position, keys)
      const tookMs = performance.now() - startedAt
      await beforeCommit?.()
      if (abort || position <= models.position) return tookMs
      models.position = position
      if (outcome === "raise-epoch") models.cacheEpoch += 1n
      for (const key of keys === "all" ? [] : keys) models.values.set(key, position)
      if (unknown) return tookMs
      await afterCommit?.()
      const { cacheEpoch, generation } = models
      fence.announce({ cacheEpoch, generation, position, heartbeatAt: new Date(1_000) })
      return tookMs
    },
  }
}

export type TestReader = {
  cache: ReadCache
  /**
   * Reads a key as a route does, and throws if the answer is older than the models were when it was asked. `stalled`
   * happens between the read of the models and the set of the cache.
   */
  read(key: string, stalled?: () => Promise<unknown>): Promise<"hit" | "stored" | "refused" | "bypass">
}

export function createTestReader(models: CachedModels, redisUrl: string): TestReader {
  const cache = createReadCache({ redisUrl, source: "test", log: quiet })
  cache.start()
  return {
    cache,
    async read(key, stalled) {
      const current = models.values.get(key) ?? 0n
      const lookup = await cache.lookup(key)
      if (lookup.reached && lookup.answer) {
        const { body, position } = lookup.answer
        if (BigInt(body) < current) {
          throw new Error(
            `${key} was served as of ${body}, but ${current} was committed before it was asked for`,
          )
        }
        if (position > models.position) throw new Error(`${key} was served from the future: ${position}`)
        // Whatever the answer claims to stand for, it is the value at that position.
        const now = models.values.get(key) ?? 0n
        if (BigInt(body) !== now && position >= now)
          throw new Error(`${key}: ${body} is not what stood at ${position}`)
        return "hit"
      }
      const snapshot = { ...models, value: models.values.get(key) ?? 0n }
      await stalled?.()
      const version = { cacheEpoch: snapshot.cacheEpoch, generation: snapshot.generation }
      cache.learn(version)
      if (!lookup.reached) return "bypass"
      const stored = await cache.store(key, version, {
        body: String(snapshot.value),
        etag: '"x"',
        position: snapshot.position,
        heartbeatMs: 1_000,
        epoch: 1,
        history: "1-1",
        generation: snapshot.generation,
      })
      return stored ? "stored" : "refused"
    },
  }
}

/** Waits until the condition holds; what it throws is thrown on, for a stale answer must fail the test. */
export async function eventually(
  condition: () => Promise<boolean> | boolean,
  withinMs = 5_000,
): Promise<void> {
  const deadline = performance.now() + withinMs
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error("it did not happen in time")
    await pause(10)
  }
}
