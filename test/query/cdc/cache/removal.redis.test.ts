// What must not be kept leaves Redis although nothing would serve it any more: from every cache epoch, also what a reader
// stores while the transaction that makes it stale is on its way, and nothing else.
import { beforeEach, expect, test } from "vitest"
import { valueName } from "../../../../query/cdc/cache/layout.ts"
import { toLsn } from "../../../../query/cdc/vocabulary/lsn.ts"
import { eventually } from "../../given/cached-models.ts"
import { givenCacheAtWork } from "./given/cache-at-work.ts"

const { redis, models, projector, reader, warm } = givenCacheAtWork()

beforeEach(() => warm("warm"))

/** Keys of the values that are there, whatever their epoch. */
async function keysThere(): Promise<string[]> {
  const names = await redis.admin.keys("lockstep:test:[0-9]*")
  return names.map((name) => name.split(":").at(-1) ?? "").sort()
}

const store = async (...keys: string[]): Promise<void> => {
  for (const key of keys) expect(await reader.read(key)).toBe("stored")
}

test("answers under the keys go from every epoch, others stay", async () => {
  await store("a", "b")
  await projector.apply("all")
  await eventually(async () => (await reader.read("warm")) === "hit")
  await store("a")
  expect(await keysThere()).toEqual(["a", "a", "b", "warm", "warm"])
  projector.fence.forget(["a"])
  await projector.apply(["a"])
  await eventually(async () => !(await keysThere()).includes("a"))
  expect(await keysThere()).toEqual(["b", "warm", "warm"])
})

test("all answers of the source go, and none of another", async () => {
  await store("a", "b")
  const others = valueName("testing", { cacheEpoch: 1n, generation: 1 }, "a")
  await redis.admin.set(others, "1")
  projector.fence.forget("all")
  await projector.apply("all")
  await eventually(async () => (await keysThere()).length === 0)
  expect(await redis.admin.get(others)).toBe("1")
})

test.each([[["a"]], ["all" as const]])(
  "an answer that is stored after it was to be forgotten goes too: %s",
  async (forgotten) => {
    const { fence } = projector
    fence.forget(forgotten)
    const position = toLsn(models.position + 8n)
    expect(await fence.fence(position, "all")).toBe("raise-epoch")
    await store("a")
    const { generation, cacheEpoch } = models
    fence.announce({ generation, cacheEpoch: cacheEpoch + 1n, position, heartbeatAt: null })
    await eventually(async () => !(await keysThere()).includes("a"))
  },
)
