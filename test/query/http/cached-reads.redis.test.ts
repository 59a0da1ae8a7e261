import { sql } from "kysely"
import { beforeEach, describe, expect, test } from "vitest"
import { createCacheFence } from "../../../query/cdc/cache/fence.ts"
import { toLsn } from "../../../query/cdc/vocabulary/lsn.ts"
import { createReadCache } from "../../../query/http/cache.ts"
import { openedForEachTest } from "../../support/opened.ts"
import { quiet } from "../../support/quiet-log.ts"
import { eventually } from "../given/cached-models.ts"
import { createQueryApp } from "../given/query-app.ts"
import {
  createLiveReadModels,
  heartbeatAt,
  history,
  insertCustomer,
  insertOrder,
  source,
} from "../given/read-models.ts"
import { givenRedis } from "../given/redis-server.ts"

const redis = givenRedis()
const models = openedForEachTest(
  async () => {
    const opened = await createLiveReadModels("cached_reads")
    await insertCustomer(opened.db, "customer-1")
    await insertOrder(opened.db, { id: "order-1" })
    return opened
  },
  (opened) => opened.close(),
)
const served = openedForEachTest(
  () => {
    const cache = createReadCache({ redisUrl: redis.url, source, log: quiet })
    const fence = createCacheFence({ redisUrl: redis.url, source, log: quiet })
    cache.start()
    fence.start()
    return { cache, fence, app: createQueryApp(models(), { cache }) }
  },
  async ({ cache, fence, app }) => {
    redis.thaw()
    await app.close()
    cache.stop()
    await fence.stop()
  },
)

beforeEach(() =>
  eventually(async () => {
    await apply([])
    return (await cacheStatus("/orders/order-1")) === "lockstep; hit"
  }),
)

const cacheStatus = async (path: string, headers: Record<string, string> = {}): Promise<string | null> => {
  const response = await served().app.get(path, headers)
  expect(response.status).toBe(200)
  return response.headers.get("cache-status")
}

/** One apply as the projector does it: change, fence, commit, announce. */
async function apply(keys: readonly string[], note = "changed", xid?: bigint): Promise<bigint> {
  let cacheEpoch = 0n
  const { rows } = await sql<{ position: bigint }>`select position from cdc.progress`.execute(models().db)
  const next = (rows[0]?.position ?? 0n) + 10n
  const position = await models().commit(
    async (trx) => {
      if (keys.length > 0) await sql`update read_1.orders set note = ${note}`.execute(trx)
      const raise = (await served().fence.fence(toLsn(next), keys)) === "raise-epoch" ? 1 : 0
      const raised = await sql<{ cache_epoch: bigint }>`
        update cdc.sources set cache_epoch = cache_epoch + ${raise} returning cache_epoch`.execute(trx)
      cacheEpoch = raised.rows[0]?.cache_epoch ?? 0n
    },
    { position: next, ...(xid === undefined ? {} : { xid }) },
  )
  served().fence.announce({
    cacheEpoch,
    generation: 1,
    position: toLsn(position),
    heartbeatAt: new Date(heartbeatAt),
  })
  return position
}

describe("an order behind the cache", () => {
  test("is a hit with the same bytes, ETag and headers, and a miss again after it changed", async () => {
    const hit = await served().app.get("/orders/order-1")
    expect(hit.headers.get("cache-status")).toBe("lockstep; hit")
    await apply(["order:order-1"], "changed")
    const miss = await served().app.get("/orders/order-1")
    expect(miss.headers.get("cache-status")).toBe("lockstep; fwd=miss; stored")
    const again = await served().app.get("/orders/order-1")
    expect(again.headers.get("cache-status")).toBe("lockstep; hit")
    expect(await again.text()).toBe(await miss.text())
    for (const name of [
      "etag",
      "read-age",
      "read-generation",
      "read-epoch",
      "content-type",
      "cache-control",
    ]) {
      expect(again.headers.get(name), name).toBe(miss.headers.get(name))
    }
    const unchanged = await served().app.get("/orders/order-1", {
      "If-None-Match": again.headers.get("etag") ?? "",
    })
    expect(unchanged.status).toBe(304)
    expect(unchanged.headers.get("cache-status")).toBe("lockstep; hit")
  })

  test("is cached for customers too, and for nothing else", async () => {
    expect(await cacheStatus("/customers/customer-1")).toBe("lockstep; fwd=miss; stored")
    expect(await cacheStatus("/customers/customer-1")).toBe("lockstep; hit")
    for (const path of ["/orders", "/customers/customer-1/orders", "/orders/order-1/history"]) {
      await served().app.get(path)
      expect(await cacheStatus(path)).toBe("lockstep; fwd=bypass")
    }
    expect((await served().app.get("/orders/unknown")).status).toBe(404)
  })

  test("is read from the database when the reader asks for that, or for a fresher answer", async () => {
    expect(await cacheStatus("/orders/order-1", { "Cache-Control": "no-cache" })).toBe(
      "lockstep; fwd=request",
    )
    expect(await cacheStatus("/orders/order-1", { "Cache-Control": "max-age=2" })).toBe("lockstep; hit")
    const refused = await served().app.get("/orders/order-1", { "Cache-Control": "max-age=1" })
    expect(refused.status).toBe(503)
  })

  test("shows the command of a token: from the cache if that is as far, else from the database", async () => {
    const position = await apply(["order:order-1"], "written", 4_711n)
    const tokenFor = (lsn: bigint, xid = 4_711n): Record<string, string> => ({
      "Consistency-Token": `v1:orders:${history.systemIdentifier}-${history.timeline}:${xid}:${lsn}`,
    })
    expect(await cacheStatus("/orders/order-1", tokenFor(position))).toMatch(/fwd=/)
    await eventually(
      async () => (await cacheStatus("/orders/order-1", tokenFor(position))) === "lockstep; hit",
    )
    expect(await cacheStatus("/orders/order-1", tokenFor(position + 1_000n))).toBe("lockstep; fwd=request")
    const waiting = served().app.get("/orders/order-1", tokenFor(position + 2_000n, 4_712n))
    await apply(["order:order-1"], "written later", 4_712n)
    expect(await (await waiting).json()).toMatchObject({ note: "written later" })
    const other = await served().app.get("/orders/order-1", { "Consistency-Token": "v1:orders:1-1:1:1" })
    expect(other.status).toBe(409)
  })

  test("is read from the database at once while Redis is away, and is current", async () => {
    redis.freeze()
    await apply(["order:order-1"], "while frozen")
    const startedAt = performance.now()
    for (let n = 0; n < 20; n++) {
      const response = await served().app.get("/orders/order-1")
      expect(await response.json()).toMatchObject({ note: "while frozen" })
    }
    expect(performance.now() - startedAt).toBeLessThan(1_000)
    const ready = await served().app.get("/readyz")
    expect(await ready.json()).toMatchObject({ checks: { redis: { state: "degraded" } } })
    redis.thaw()
    await eventually(async () => {
      await apply([])
      const response = await served().app.get("/orders/order-1")
      expect(await response.json()).toMatchObject({ note: "while frozen" })
      return response.headers.get("cache-status") === "lockstep; hit"
    }, 10_000)
  })
})
