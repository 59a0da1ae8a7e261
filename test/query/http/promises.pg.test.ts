import { sql } from "kysely"
import { describe, expect, test } from "vitest"
import { createQueryApp } from "../given/query-app.ts"
import { heartbeatAt, history, insertCustomer, insertOrder } from "../given/read-models.ts"
import { givenReadSide } from "../given/read-side.ts"

let position: bigint

const { models, app } = givenReadSide("promises", async (models) => {
  await insertCustomer(models.db, "customer-1")
  await insertOrder(models.db, { id: "order-1", version: 4 })
  position = await models.commit()
})

const { systemIdentifier, timeline } = history
const tokenOf = (
  xid: bigint,
  lsn: bigint,
  epoch = `${systemIdentifier}-${timeline}`,
  from = "orders",
): string => `v1:${from}:${epoch}:${xid}:${lsn}`

const problemOf = async (response: Response): Promise<unknown> => {
  expect(response.headers.get("content-type")).toBe("application/problem+json")
  return await response.json()
}

describe("what an answer says about itself", () => {
  test("names position, age, generation, epoch and cache", async () => {
    const { headers } = await app.get("/orders/order-1")
    expect(headers.get("read-position")).toBe(`0/${position.toString(16).toUpperCase()}`)
    expect(headers.get("read-age")).toBe("2")
    expect(headers.get("read-generation")).toBe("1")
    expect(headers.get("read-epoch")).toBe("1")
    expect(headers.get("cache-control")).toBe("no-cache, private")
    expect(headers.get("cache-status")).toBe("lockstep; fwd=bypass")
  })

  test.each([
    ["0", heartbeatAt],
    ["0", heartbeatAt - 900],
    ["unknown", heartbeatAt - 3_600_000],
    ["3600", heartbeatAt + 3_600_000],
  ])("gives the age as %s seconds by a clock at %d", async (age, now) => {
    const other = createQueryApp(models, { now: () => now })
    expect((await other.get("/orders/order-1")).headers.get("read-age")).toBe(age)
    await other.close()
  })

  test("has an ETag that begins with an order's version and is answered with 304", async () => {
    const first = await app.get("/orders/order-1")
    const etag = first.headers.get("etag") ?? ""
    expect(etag).toMatch(/^"4-[A-Za-z0-9_-]{22}"$/)
    for (const header of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
      const again = await app.get("/orders/order-1", { "If-None-Match": header })
      expect(again.status).toBe(304)
      expect(await again.text()).toBe("")
      expect(again.headers.get("etag")).toBe(etag)
      expect(again.headers.get("read-position")).not.toBeNull()
    }
    expect((await app.get("/orders/order-1", { "If-None-Match": '"4-other"' })).status).toBe(200)
  })

  test("changes the ETag with the body alone", async () => {
    const before = (await app.get("/orders/order-1")).headers.get("etag")
    await models.commit()
    expect((await app.get("/orders/order-1")).headers.get("etag")).toBe(before)
    await models.commit((trx) =>
      sql`update read_1.customers set name = 'Another' where id = 'customer-1'`.execute(trx).then(() => {}),
    )
    expect((await app.get("/orders/order-1")).headers.get("etag")).not.toBe(before)
  })

  test("has a plain ETag on lists", async () => {
    expect((await app.get("/orders")).headers.get("etag")).toMatch(/^"[A-Za-z0-9_-]{22}"$/)
  })
})

describe("a consistency token", () => {
  test("is satisfied by the position or by the applied transaction", async () => {
    const now = await models.commit(async () => {}, { xid: 77n })
    for (const token of [
      tokenOf(1n, now),
      tokenOf(77n, now + 1_000n),
      tokenOf(77n + 5n * 2n ** 32n, now + 1_000n),
    ]) {
      const response = await app.get("/orders/order-1", { "Consistency-Token": token, Prefer: "wait=0" })
      expect(response.status).toBe(200)
    }
  })

  test("is not satisfied by a transaction of that number after its bound", async () => {
    const now = await models.commit(async () => {}, { xid: 78n, position: position + 5_000n })
    const before = await models.commit(async () => {}, { xid: 79n, position: now + 1_000n })
    const response = await app.get("/orders/order-1", {
      "Consistency-Token": tokenOf(78n, before + 1n),
      Prefer: "wait=0",
    })
    expect(response.status).toBe(200)
    const other = await app.get("/orders/order-1", {
      "Consistency-Token": tokenOf(500n, before + 1n),
      Prefer: "wait=0",
    })
    expect(other.status).toBe(503)
  })

  test("waits until the command is visible and is woken at once", async () => {
    const before = await models.commit()
    const times: number[] = []
    for (let round = 0; round < 10; round++) {
      const response = app.get("/orders/order-1", {
        "Consistency-Token": tokenOf(9_000n + BigInt(round), before * 2n),
      })
      // The read has looked and waits by then; nothing can be seen of that from outside.
      await new Promise((resolve) => setTimeout(resolve, 60))
      await models.commit(
        async (trx) => {
          await sql`update read_1.orders set note = ${`round ${round}`} where id = 'order-1'`.execute(trx)
        },
        { xid: 9_000n + BigInt(round) },
      )
      const committedAt = performance.now()
      expect(await (await response).json()).toMatchObject({ note: `round ${round}` })
      times.push(performance.now() - committedAt)
    }
    const median = times.sort((a, b) => a - b)[5]
    expect(median).toBeLessThan(40)
  })

  test("is served by polling when no notification comes", async () => {
    const lsn = (await models.commit()) * 2n
    const response = app.get("/orders/order-1", { "Consistency-Token": tokenOf(9_100n, lsn) })
    await models.commit(async () => {}, { xid: 9_100n, notify: false })
    expect((await response).status).toBe(200)
  })

  test("that is not reached in time is a 503 problem with Retry-After", async () => {
    const lsn = (await models.commit()) * 2n
    const startedAt = performance.now()
    const response = await app.get("/orders/order-1", {
      "Consistency-Token": tokenOf(9_200n, lsn),
      Prefer: "wait=1",
    })
    expect(performance.now() - startedAt).toBeGreaterThan(950)
    expect(response.status).toBe(503)
    expect(response.headers.get("retry-after")).toBe("1")
    expect(response.headers.get("read-position")).not.toBeNull()
    expect(await problemOf(response)).toMatchObject({ type: "urn:lockstep:problem:read-not-current" })
  })

  test("gives the stale answer, marked, to a lenient reader", async () => {
    const lsn = (await models.commit()) * 2n
    const response = await app.get("/orders/order-1", {
      "Consistency-Token": tokenOf(9_300n, lsn),
      Prefer: "handling=lenient, wait=0",
    })
    expect(response.status).toBe(200)
    expect(response.headers.get("read-stale")).toBe("true")
    expect(response.headers.get("preference-applied")).toBe("handling=lenient")
  })

  test.each([
    tokenOf(1n, 1n, `${systemIdentifier}-2`),
    tokenOf(1n, 1n, "1-1"),
    tokenOf(1n, 1n, undefined, "invoices"),
  ])("of another history is refused by name: %s", async (token) => {
    for (const prefer of ["wait=5", "handling=lenient"]) {
      const response = await app.get("/orders/order-1", { "Consistency-Token": token, Prefer: prefer })
      expect(response.status).toBe(409)
      expect(await problemOf(response)).toMatchObject({ type: "urn:lockstep:problem:token-of-another-epoch" })
    }
  })

  test("lets a reader go who has hung up", async () => {
    const lsn = (await models.commit()) * 2n
    const hangUp = new AbortController()
    const startedAt = performance.now()
    const response = app.get(
      "/orders/order-1",
      { "Consistency-Token": tokenOf(9_400n, lsn), Prefer: "wait=20" },
      { signal: hangUp.signal },
    )
    setTimeout(() => hangUp.abort(), 50)
    await response.catch(() => {})
    expect(performance.now() - startedAt).toBeLessThan(2_000)
  })
})

describe("a bound on the age", () => {
  test("is kept or refused", async () => {
    expect((await app.get("/orders", { "Cache-Control": "max-age=2" })).status).toBe(200)
    const refused = await app.get("/orders", { "Cache-Control": "max-age=1" })
    expect(refused.status).toBe(503)
    expect(refused.headers.get("read-age")).toBe("2")
    expect(await problemOf(refused)).toMatchObject({ type: "urn:lockstep:problem:read-not-current" })
  })

  test("is refused when the age is unknown", async () => {
    const other = createQueryApp(models, { now: () => heartbeatAt - 3_600_000 })
    expect((await other.get("/orders", { "Cache-Control": "max-age=999999" })).status).toBe(503)
    const lenient = await other.get("/orders", { "Cache-Control": "max-age=9", Prefer: "handling=lenient" })
    expect(lenient.headers.get("read-stale")).toBe("true")
    await other.close()
  })
})
