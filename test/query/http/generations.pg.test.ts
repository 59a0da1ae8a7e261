import { sql } from "kysely"
import { describe, expect, test } from "vitest"
import { waitFor } from "../../support/wait.ts"
import { createReadModels, insertCustomer, insertOrder } from "../given/read-models.ts"
import { givenReadSideForEachTest } from "../given/read-side.ts"

const { models, app } = givenReadSideForEachTest(() => createReadModels("generations"))

const goLive = (generation: number) =>
  sql`update cdc.sources set live_generation = ${generation}`.execute(models.db)

describe("the live generation", () => {
  test("is missing at first: 503 not-ready with Retry-After", async () => {
    for (const path of ["/orders/order-1", "/orders", "/analytics/orders"]) {
      const response = await app.get(path)
      expect(response.status).toBe(503)
      expect(response.headers.get("retry-after")).not.toBeNull()
      expect(await response.json()).toMatchObject({ type: "urn:lockstep:problem:not-ready" })
    }
    await models.addGeneration(1)
    await goLive(1)
    expect((await app.get("/orders")).status).toBe(200)
  })

  test("of an unknown projection version is not served", async () => {
    await models.addGeneration(1, { version: "from the future" })
    await goLive(1)
    const response = await app.get("/orders")
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({ type: "urn:lockstep:problem:unknown-projection-version" })
  })

  test("can be switched and dropped under load: no error, no mixture, never back", async () => {
    await models.addGeneration(1)
    await insertCustomer(models.db, "customer-1")
    await insertOrder(models.db, { id: "order-1" })
    await sql`update read_1.orders set note = '1'`.execute(models.db)
    await goLive(1)

    let switching = true
    let reads = 0
    const seen = new Map<number, number>()
    const reader = async (path: string, number: number) => {
      let last = 0
      while (switching) {
        const response = await app.get(path)
        expect(response.status).toBe(200)
        const generation = Number(response.headers.get("read-generation"))
        const body = await response.text()
        if (path === "/orders/order-1") expect(JSON.parse(body)).toMatchObject({ note: String(generation) })
        expect(generation).toBeGreaterThanOrEqual(last)
        last = generation
        seen.set(number, last)
        reads += 1
      }
      return last
    }
    const readers = [
      "/orders/order-1",
      "/orders/order-1",
      "/orders",
      "/customers/customer-1/orders",
      "/analytics/orders",
    ].map(reader)
    const switches = 12
    for (let next = 2; next <= switches; next++) {
      await models.addGeneration(next, { copyOf: next - 1 })
      await sql`update ${sql.table(`read_${next}.orders`)} set note = ${String(next)}`.execute(models.db)
      await goLive(next)
      await models.dropGeneration(next - 1)
    }
    await waitFor(
      () => readers.every((_, number) => seen.get(number) === switches),
      "every reader has seen the last generation",
    )
    switching = false
    expect(await Promise.all(readers)).toEqual(readers.map(() => switches))
    expect(reads).toBeGreaterThan(50)
  })
})
