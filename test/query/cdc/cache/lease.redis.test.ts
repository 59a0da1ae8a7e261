// The lease of the cache: who may serve from it and for how long, also while Redis fails.
import { setTimeout as pause } from "node:timers/promises"
import { describe, expect, test } from "vitest"
import { leaseName, parseLease, valueName } from "../../../../query/cdc/cache/layout.ts"
import { toLsn } from "../../../../query/cdc/vocabulary/lsn.ts"
import { eventually } from "../../given/cached-models.ts"
import { givenCacheAtWork } from "./given/cache-at-work.ts"

const { redis, models, projector, reader, another, warm, leaseIsThere } = givenCacheAtWork()

describe("the lease", () => {
  test("ends within a second or so when the projector stands still", async () => {
    await warm("a")
    expect(await leaseIsThere()).toBe(true)
    const lease = parseLease((await redis.admin.get(leaseName("test"))) ?? "")
    expect(lease?.version).toEqual({ cacheEpoch: models.cacheEpoch, generation: 1 })
    expect(await redis.admin.pttl(leaseName("test"))).toBeLessThanOrEqual(1_000)
  })

  /** Another projector fills "a", and then its own lease may be lost, until it holds it again. */
  async function warmAndStopHolding() {
    let heldMs = 60_000
    const other = another({ heldForMs: () => heldMs })
    await warm("a", other)
    heldMs = 0
    await eventually(async () => !(await leaseIsThere()), 1_500)
    const hold = (): void => {
      heldMs = 60_000
    }
    return { other, hold }
  }

  test("is not renewed by a projector that may have lost its own lease", async () => {
    const { hold } = await warmAndStopHolding()
    hold()
    await eventually(leaseIsThere)
  })

  test("is not taken up again by a projector that was none meanwhile: another one may have written without Redis", async () => {
    const { other, hold } = await warmAndStopHolding()
    models.position = toLsn(models.position + 8n)
    models.values.set("a", models.position)

    hold()
    other.fence.succeed(0)
    // Longer than a renewal takes to come: none may come.
    await pause(600)
    expect(await leaseIsThere()).toBe(false)
    await other.apply([])
    await eventually(leaseIsThere)
    expect(await reader.read("a")).not.toBe("hit")
  })

  test("is waited for by a successor without Redis, for as long as the one before may give leases", async () => {
    await warm("a")
    const successor = another({ redisUrl: "redis://127.0.0.1:1" })
    successor.fence.succeed(1_500)
    const startedAt = performance.now()
    await successor.apply(["a"])
    expect(performance.now() - startedAt).toBeGreaterThan(2_500)
  })

  test("is ended at once by a successor who reaches Redis", async () => {
    await warm("a")
    const successor = another()
    successor.fence.succeed(10_000)
    expect(await successor.apply(["a"])).toBeLessThan(1_000)
    expect(await reader.read("a")).not.toBe("hit")
    await warm("a", successor)
  })

  test("is over when the projector has stopped", async () => {
    await warm("a")
    await projector.fence.stop()
    expect(await leaseIsThere()).toBe(false)
  })

  test("goes to the projector that takes over; the former one is refused", async () => {
    await warm("a")
    const next = another()
    await warm("a", next)
    const epoch = models.cacheEpoch
    // Longer than the former projector takes to renew, which it must not.
    await pause(600)
    const lease = parseLease((await redis.admin.get(leaseName("test"))) ?? "")
    expect(lease?.version.cacheEpoch).toBe(epoch)
    expect(await reader.read("a")).toBe("hit")
  })
})

describe("when Redis fails", () => {
  test("frozen: the commit waits the lease out once, then nothing waits any more", async () => {
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
    // Renewals that waited inside the frozen Redis are carried out now, and are over already: no read may be a hit, at
    // whatever moment it comes.
    for (let n = 0; n < 20; n++) {
      expect(await reader.read("a")).not.toBe("hit")
      await pause(5)
    }
    await warm("a")
    await projector.apply(["a"])
    expect(await reader.read("a")).toBe("stored")
  })

  test("killed and restarted empty: a new epoch begins and serves", async () => {
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

  test("restarted at once with an old dump, lease and all: the old answer is not served", async () => {
    await projector.apply(["a"])
    await warm("a")
    await redis.admin.save()
    const applying = projector.apply(["a"])
    await applying
    await redis.kill()
    await redis.start()
    const old = await redis.admin.keys("lockstep:test:*")
    expect(old).toContain(valueName("test", { cacheEpoch: models.cacheEpoch, generation: 1 }, "a"))
    // A reader who is served the old answer throws, at whatever moment it reads.
    for (let n = 0; n < 50; n++) {
      await reader.read("a")
      await pause(5)
    }
    await warm("a")
  })

  test("flushed: a new epoch begins without waiting", async () => {
    await projector.apply(["a"])
    await warm("a")
    await redis.admin.flushall()
    expect(await reader.read("a")).toBe("refused")
    expect(await projector.apply(["a"])).toBeLessThan(150)
    await warm("a")
  })

  test("without the fence table (evicted): nothing is stored, the lease ends, a new epoch begins", async () => {
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

  test("cut off for the projector alone: nothing old is served", async () => {
    await projector.apply(["a"])
    await warm("a")
    await redis.admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    await projector.apply(["a"])
    await reader.read("a")
    await warm("a")
  })
})
