// What the fence makes of a change: no cached answer is served that is older than the read models.
import { describe, expect, test } from "vitest"
import { leaseName, parseLease } from "../../../../query/cdc/cache/layout.ts"
import { eventually } from "../../given/cached-models.ts"
import { givenCacheAtWork } from "./given/cache-at-work.ts"

const { redis, models, projector, reader, another, warm, leaseIsThere } = givenCacheAtWork()

describe("the cache", () => {
  test("serves what was stored, and no more after it changed", async () => {
    await projector.apply(["a"])
    await warm("a")
    await projector.apply(["b"])
    expect(await reader.read("a")).toBe("hit")
    await projector.apply(["a"])
    expect(await reader.read("a")).toBe("stored")
    expect(await reader.read("a")).toBe("hit")
  })

  test("refuses the set of a reader who stalled while the row changed", async () => {
    await warm("other")
    await projector.apply(["a"])
    expect(await reader.read("a", () => projector.apply(["a"]))).toBe("refused")
    expect(await reader.read("a")).toBe("stored")
  })

  test("refuses the set of a reader who read between fence and commit", async () => {
    await warm("a")
    let before = ""
    await projector.apply(["a"], {
      async beforeCommit() {
        before = await reader.read("a")
      },
    })
    expect(before).toBe("refused")
    expect(await reader.read("a")).toBe("stored")
  })

  test("loses nothing but speed when a transaction aborts after fencing", async () => {
    await warm("a")
    await projector.apply(["a"], { abort: true })
    expect(await reader.read("a")).toBe("refused")
    await projector.apply(["b"])
    expect(await reader.read("a")).toBe("stored")
    expect(await reader.read("a")).toBe("hit")
  })

  test("says the newest position that an answer stands for", async () => {
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

describe("many keys and switches", () => {
  test("fences thousands of keys in time", async () => {
    const keys = Array.from({ length: 9_000 }, (_, n) => `key-${n}`)
    await warm("key-1")
    const epoch = models.cacheEpoch
    expect(await projector.apply(keys)).toBeLessThan(1_600)
    expect(await reader.read("key-1")).not.toBe("hit")
    expect(models.cacheEpoch - epoch).toBeLessThanOrEqual(1n)
  })

  test("raises the epoch instead of deleting beyond ten thousand keys, without waiting", async () => {
    await warm("key-1")
    const epoch = models.cacheEpoch
    expect(await projector.apply(Array.from({ length: 10_001 }, (_, n) => `key-${n}`))).toBeLessThan(150)
    expect(models.cacheEpoch).toBe(epoch + 1n)
    expect(await reader.read("key-1")).not.toBe("hit")
    await warm("key-1")
  })

  test("raises the epoch for a switch of the generation", async () => {
    await warm("a")
    const epoch = models.cacheEpoch
    models.generation = 2
    await projector.apply("all")
    expect(models.cacheEpoch).toBe(epoch + 1n)
    await warm("a")
    expect(parseLease((await redis.admin.get(leaseName("test"))) ?? "")?.version.generation).toBe(2)
  })

  test("stops serving when another generation is announced than the one fenced", async () => {
    await warm("a")
    models.generation = 2
    await projector.apply([])
    await eventually(async () => !(await leaseIsThere()), 1_500)
    await warm("a")
  })

  test("does not begin an epoch again that was used before", async () => {
    await warm("a")
    await projector.fence.stop()
    models.cacheEpoch = 1n
    const next = another()
    const used = 2n
    await warm("a", next)
    expect(models.cacheEpoch).toBeGreaterThan(used)
  })

  test("asks for another epoch when the outcome of a commit is unknown", async () => {
    await eventually(async () => {
      await projector.apply(["a"], { unknown: true })
      return models.cacheEpoch >= 4n
    })
    expect(await leaseIsThere()).toBe(false)
    await warm("a")
  })
})
