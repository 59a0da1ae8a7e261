// A cache at work, anew for each test: a Redis, read models, the projector that fences them and a reader.
import { leaseName } from "../../../../../query/cdc/cache/layout.ts"
import { openedForEachTest } from "../../../../support/opened.ts"
import {
  type CachedModels,
  createCachedModels,
  createTestProjector,
  createTestReader,
  eventually,
  type TestProjector,
  type TestReader,
} from "../../../given/cached-models.ts"
import { givenRedis, type RedisServer } from "../../../given/redis-server.ts"

export type CacheAtWork = {
  redis: RedisServer
  models: CachedModels
  projector: TestProjector
  reader: TestReader
  /** Another projector on the same models, which ends with the test; without a URL, on the same Redis. */
  another: (options?: { redisUrl?: string; heldForMs?: () => number }) => TestProjector
  /** Applies until the key is served from the cache. */
  warm: (key: string, by?: TestProjector) => Promise<void>
  leaseIsThere: () => Promise<boolean>
}

export function givenCacheAtWork(): CacheAtWork {
  const redis = givenRedis()
  const models = createCachedModels()
  const reading = openedForEachTest(
    () => createTestReader(models, redis.url),
    ({ cache }) => cache.stop(),
  )
  const projecting = openedForEachTest(
    () => {
      Object.assign(models, createCachedModels())
      return [createTestProjector(models, redis.url)]
    },
    async (projectors) => {
      // A projector whose Redis is frozen could not be stopped.
      redis.thaw()
      for (const { fence } of projectors) await fence.stop()
    },
  )

  const reader: TestReader = {
    get cache() {
      return reading().cache
    },
    read: (key, stalled) => reading().read(key, stalled),
  }
  const first = () => {
    const [one] = projecting()
    if (!one) throw new Error("nobody projects")
    return one
  }
  const projector: TestProjector = {
    get fence() {
      return first().fence
    },
    apply: (keys, options) => first().apply(keys, options),
  }
  return {
    redis,
    models,
    projector,
    reader,
    another({ redisUrl = redis.url, heldForMs } = {}) {
      const other = createTestProjector(models, redisUrl, heldForMs)
      projecting().push(other)
      return other
    },
    warm: (key, by = projector) =>
      eventually(async () => {
        await by.apply([])
        return (await reader.read(key)) === "hit"
      }, 10_000),
    leaseIsThere: async () => (await redis.admin.get(leaseName("test"))) !== null,
  }
}
