import { setTimeout as pause } from "node:timers/promises"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { leaseName, parseLease, valueName } from "../../../../query/cdc/cache/layout.ts"
import { toLsn } from "../../../../query/cdc/vocabulary/lsn.ts"
import {
  type CachedModels,
  createCachedModels,
  createTestProjector,
  createTestReader,
  eventually,
  type TestProjector,
  type TestReader,
} from "../../given/cached-models.ts"
import { createRedisServer, type RedisServer } from "../../given/redis-server.ts"

let redis: RedisServer
let models: CachedModels
let projector: TestProjector
let reader: TestReader
const open: { stop(): Promise<void> | void }[] = []

beforeEach(async () => {
  redis = await createRedisServer()
  models = createCachedModels()
  projector = createTestProjector(models, redis.url)
  reader = createTestReader(models, redis.url)
  open.push(projector.fence, reader.cache)
})

afterEach(async () => {
  redis?.thaw()
  for (const part of open.splice(0)) await part.stop()
  await redis?.close()
})

/** Applies until the key is served from the cache. */
const warm = (key: string, by: TestProjector = projector): Promise<void> =>
  eventually(async () => {
    await by.apply([])
    return (await reader.read(key)) === "hit"
  }, 10_000)

const leaseIsThere = async (): Promise<boolean> => (await redis.admin.get(leaseName("test"))) !== null

describe("the cache", () => {
  it("serves what was stored, and no more after it changed", async () => {
    await projector.apply(["a"])
    await warm("a")
    await projector.apply(["b"])
    expect(await reader.read("a")).toBe("hit")
    await projector.apply(["a"])
    expect(await reader.read("a")).toBe("stored")
    expect(await reader.read("a")).toBe("hit")
  })

  it("refuses the set of a reader who stalled while the row changed", async () => {
    await warm("other")
    await projector.apply(["a"])
    const stalled = reader.read("a", 150)
    await pause(50)
    await projector.apply(["a"])
    expect(await stalled).toBe("refused")
    expect(await reader.read("a")).toBe("stored")
  })

  it("refuses the set of a reader who read between fence and commit", async () => {
    await warm("a")
    const applying = projector.apply(["a"], { beforeCommitMs: 100 })
    await pause(40)
    expect(await reader.read("a")).toBe("refused")
    await applying
    expect(await reader.read("a")).toBe("stored")
  })

  it("loses nothing but speed when a transaction aborts after fencing", async () => {
    await warm("a")
    await projector.apply(["a"], { abort: true })
    expect(await reader.read("a")).toBe("refused")
    await projector.apply(["b"])
    expect(await reader.read("a")).toBe("stored")
    expect(await reader.read("a")).toBe("hit")
  })

  it("says the newest position that an answer stands for", async () => {
    await projector.apply(["a"])
    await warm("a")
    await projector.apply(["b"])
    const { position } = models
    await eventually(async () => {
      const lookup = await reader.cache.lookup("a")
      return lookup.reached && lookup.answer?.position === position
    })
  })
})

describe("the lease", () => {
  it("ends within a second or so when the projector stands still", async () => {
    await warm("a")
    expect(await leaseIsThere()).toBe(true)
    const lease = parseLease((await redis.admin.get(leaseName("test"))) ?? "")
    expect(lease?.place).toEqual({ cacheEpoch: models.cacheEpoch, generation: 1 })
    expect(await redis.admin.pttl(leaseName("test"))).toBeLessThanOrEqual(1_000)
  })

  /** Another projector fills "a", and then its own lease may be lost, until it holds it again. */
  async function warmAndStopHolding() {
    let heldMs = 60_000
    const other = createTestProjector(models, redis.url, () => heldMs)
    open.push(other.fence)
    await warm("a", other)
    heldMs = 0
    await eventually(async () => !(await leaseIsThere()), 1_500)
    const hold = (): void => {
      heldMs = 60_000
    }
    return { other, hold }
  }

  it("is not renewed by a projector that may have lost its own lease", async () => {
    const { hold } = await warmAndStopHolding()
    hold()
    await eventually(leaseIsThere)
  })

  it("is not taken up again by a projector that was none meanwhile: another one may have written without Redis", async () => {
    const { other, hold } = await warmAndStopHolding()
    models.position = toLsn(models.position + 8n)
    models.values.set("a", models.position)

    hold()
    other.fence.succeed(0)
    await pause(600)
    expect(await leaseIsThere()).toBe(false)
    await other.apply([])
    await eventually(leaseIsThere)
    expect(await reader.read("a")).not.toBe("hit")
  })

  it("is waited for by a successor without Redis, for as long as the one before may give leases", async () => {
    await warm("a")
    const successor = createTestProjector(models, "redis://127.0.0.1:1")
    open.push(successor.fence)
    successor.fence.succeed(1_500)
    const startedAt = performance.now()
    await successor.apply(["a"])
    expect(performance.now() - startedAt).toBeGreaterThan(2_500)
  })

  it("is ended at once by a successor who reaches Redis", async () => {
    await warm("a")
    const successor = createTestProjector(models, redis.url)
    open.push(successor.fence)
    successor.fence.succeed(10_000)
    expect(await successor.apply(["a"])).toBeLessThan(1_000)
    expect(await reader.read("a")).not.toBe("hit")
    await warm("a", successor)
  })

  it("is over when the projector has stopped", async () => {
    await warm("a")
    await projector.fence.stop()
    expect(await leaseIsThere()).toBe(false)
  })

  it("goes to the projector that takes over; the former one is refused", async () => {
    await warm("a")
    const next = createTestProjector(models, redis.url)
    open.push(next.fence)
    await warm("a", next)
    const epoch = models.cacheEpoch
    await pause(600)
    const lease = parseLease((await redis.admin.get(leaseName("test"))) ?? "")
    expect(lease?.place.cacheEpoch).toBe(epoch)
    expect(await reader.read("a")).toBe("hit")
  })
})

describe("when Redis fails", () => {
  it("frozen: the commit waits the lease out once, then nothing waits any more", async () => {
    await projector.apply(["a"])
    await warm("a")
    redis.freeze()
    const first = await projector.apply(["a"])
    expect(first).toBeGreaterThan(200)
    expect(first).toBeLessThan(1_600)
    expect(await projector.apply(["a"])).toBeLessThan(20)
    expect(await projector.apply(["a"])).toBeLessThan(20)
    expect(await reader.read("a")).toBe("bypass")
    const startedAt = performance.now()
    for (let n = 0; n < 100; n++) await reader.read("a")
    expect(performance.now() - startedAt).toBeLessThan(100)
    redis.thaw()
    // Renewals that waited inside the frozen Redis are carried out now, and are over already.
    for (let n = 0; n < 20; n++) {
      expect(await reader.read("a")).not.toBe("hit")
      await pause(5)
    }
    await warm("a")
    await projector.apply(["a"])
    expect(await reader.read("a")).toBe("stored")
  })

  it("killed and restarted empty: a new epoch begins and serves", async () => {
    await projector.apply(["a"])
    await warm("a")
    const epoch = models.cacheEpoch
    await redis.kill()
    expect(await projector.apply(["a"])).toBeLessThan(1_600)
    expect(await projector.apply(["a"])).toBeLessThan(20)
    await redis.start()
    await warm("a")
    expect(models.cacheEpoch).toBeGreaterThan(epoch)
  })

  it("restarted at once with an old dump, lease and all: the old answer is not served", async () => {
    await projector.apply(["a"])
    await warm("a")
    await redis.admin.save()
    const applying = projector.apply(["a"])
    await applying
    await redis.kill()
    await redis.start()
    const old = await redis.admin.keys("lockstep:test:*")
    expect(old).toContain(valueName("test", { cacheEpoch: models.cacheEpoch, generation: 1 }, "a"))
    for (let n = 0; n < 50; n++) {
      await reader.read("a")
      await pause(5)
    }
    await warm("a")
  })

  it("flushed: a new epoch begins without waiting", async () => {
    await projector.apply(["a"])
    await warm("a")
    await redis.admin.flushall()
    expect(await reader.read("a")).toBe("refused")
    expect(await projector.apply(["a"])).toBeLessThan(150)
    await warm("a")
  })

  it("without the fence table (evicted): nothing is stored, the lease ends, a new epoch begins", async () => {
    await projector.apply(["a"])
    await warm("a")
    const epoch = models.cacheEpoch
    await redis.admin.del("lockstep:test:fence")
    expect(await reader.read("b")).toBe("refused")
    await projector.apply(["a"])
    expect(await reader.read("a")).not.toBe("hit")
    await warm("a")
    expect(models.cacheEpoch).toBeGreaterThan(epoch)
  })

  it("cut off for the projector alone: nothing old is served", async () => {
    await projector.apply(["a"])
    await warm("a")
    await redis.admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    await projector.apply(["a"])
    await reader.read("a")
    await warm("a")
  })
})

describe("many keys and switches", () => {
  it("fences thousands of keys in time", async () => {
    const keys = Array.from({ length: 9_000 }, (_, n) => `key-${n}`)
    await warm("key-1")
    const epoch = models.cacheEpoch
    expect(await projector.apply(keys)).toBeLessThan(1_600)
    expect(await reader.read("key-1")).not.toBe("hit")
    expect(models.cacheEpoch - epoch).toBeLessThanOrEqual(1n)
  })

  it("raises the epoch instead of deleting beyond ten thousand keys, without waiting", async () => {
    await warm("key-1")
    const epoch = models.cacheEpoch
    expect(await projector.apply(Array.from({ length: 10_001 }, (_, n) => `key-${n}`))).toBeLessThan(150)
    expect(models.cacheEpoch).toBe(epoch + 1n)
    expect(await reader.read("key-1")).not.toBe("hit")
    await warm("key-1")
  })

  it("raises the epoch for a switch of the generation", async () => {
    await warm("a")
    const epoch = models.cacheEpoch
    models.generation = 2
    await projector.apply("all")
    expect(models.cacheEpoch).toBe(epoch + 1n)
    await warm("a")
    expect(parseLease((await redis.admin.get(leaseName("test"))) ?? "")?.place.generation).toBe(2)
  })

  it("stops serving when another generation is announced than the one fenced", async () => {
    await warm("a")
    models.generation = 2
    await projector.apply([])
    await eventually(async () => !(await leaseIsThere()), 1_500)
    await warm("a")
  })

  it("does not begin an epoch again that was used before", async () => {
    await warm("a")
    await projector.fence.stop()
    models.cacheEpoch = 1n
    const next = createTestProjector(models, redis.url)
    open.push(next.fence)
    const used = 2n
    await warm("a", next)
    expect(models.cacheEpoch).toBeGreaterThan(used)
  })

  it("asks for another epoch when the outcome of a commit is unknown", async () => {
    await eventually(async () => {
      await projector.apply(["a"], { unknown: true })
      return models.cacheEpoch >= 4n
    })
    expect(await leaseIsThere()).toBe(false)
    await warm("a")
  })
})
