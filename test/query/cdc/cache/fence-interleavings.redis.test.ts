import { setTimeout as pause } from "node:timers/promises"
import { describe, expect, test } from "vitest"
import { chooseSeed, createRandom, type Random } from "../../../support/random.ts"
import { times } from "../../../support/times.ts"
import {
  createCachedModels,
  createTestProjector,
  createTestReader,
  type TestProjector,
} from "../../given/cached-models.ts"
import { givenRedis } from "../../given/redis-server.ts"

const redis = givenRedis()

const runMs = 12_000 * times
const keys = ["a", "b", "c", "d"]
const faults = [
  "freeze",
  "freeze longer",
  "flush",
  "evict table",
  "evict lease",
  "cut connections",
  "kill",
  "kill with dump",
  "new projector",
] as const

const stall = (ms: number) => async (): Promise<void> => {
  if (ms > 0) await pause(ms)
}

/** Readers with stalls, a projector with delays, aborts and unknown outcomes, and one fault after the other. */
async function runAtRandom(
  random: Random,
): Promise<{ reads: Record<string, number>; faults: number; longest: number }> {
  const models = createCachedModels()
  const projectors: TestProjector[] = [createTestProjector(models, redis.url)]
  const readers = [createTestReader(models, redis.url), createTestReader(models, redis.url)]
  const reads: Record<string, number> = { hit: 0, stored: 0, refused: 0, bypass: 0 }
  const deadline = performance.now() + runMs
  const running = () => performance.now() < deadline
  let faultCount = 0
  let longest = 0

  const read = async (reader: (typeof readers)[number]) => {
    while (running()) {
      const outcome = await reader.read(random.pick(keys), stall(random.chance(0.2) ? random.below(60) : 0))
      reads[outcome] = (reads[outcome] ?? 0) + 1
      await pause(random.chance(0.3) ? random.below(4) : 0)
    }
  }

  const project = async () => {
    while (running()) {
      const touched = random.chance(0.02) ? ("all" as const) : keys.filter(() => random.chance(0.3))
      const projector = projectors.at(-1)
      const took = await projector?.apply(touched, {
        beforeCommit: stall(random.chance(0.2) ? random.below(15) : 0),
        afterCommit: stall(random.chance(0.2) ? random.below(15) : 0),
        abort: random.chance(0.05),
        unknown: random.chance(0.01),
      })
      longest = Math.max(longest, took ?? 0)
      await pause(random.below(12))
    }
  }

  const breakIt = async (fault: (typeof faults)[number]) => {
    switch (fault) {
      case "freeze":
      case "freeze longer":
        redis.freeze()
        await pause(fault === "freeze" ? 10 + random.below(240) : 500 + random.below(1100))
        redis.thaw()
        return
      case "flush":
        await redis.admin.flushall()
        return
      case "evict table":
        await redis.admin.del("lockstep:test:fence")
        return
      case "evict lease":
        await redis.admin.del("lockstep:test:lease")
        return
      case "cut connections":
        await redis.admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        return
      case "kill":
      case "kill with dump":
        if (fault === "kill with dump") {
          await redis.admin.save()
          await pause(random.below(100))
        }
        await redis.kill()
        await pause(random.below(200))
        await redis.start()
        return
      case "new projector":
        // The former one is not stopped: it goes on renewing, as a process does that nobody told.
        projectors.push(createTestProjector(models, redis.url))
    }
  }

  const breakThings = async () => {
    while (running()) {
      await pause(300 + random.below(2200))
      if (projectors.length > 4 && random.chance(0.8)) continue
      await breakIt(random.pick(faults))
      faultCount += 1
    }
  }

  try {
    await Promise.all([...readers.map(read), project(), breakThings()])
  } finally {
    redis.thaw()
    for (const { fence } of projectors) await fence.stop()
    for (const { cache } of readers) cache.stop()
  }
  return { reads, faults: faultCount, longest }
}

describe("whatever happens in whatever order", () => {
  test.each([0, 1, 2])(
    "no served answer is older than the database was when it was asked for (run %d)",
    async (run) => {
      const seed = (chooseSeed() + run) >>> 0
      const { reads, faults: met, longest } = await runAtRandom(createRandom(seed))
      console.log(
        `seed ${seed}: ${JSON.stringify(reads)}, ${met} faults, longest fence ${Math.round(longest)} ms`,
      )
      expect(reads.hit).toBeGreaterThan(0)
      expect(met).toBeGreaterThan(2)
      expect(longest).toBeLessThan(2_500)
    },
  )
})
