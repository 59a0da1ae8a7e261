import fc from "fast-check"
import { sql } from "kysely"
import { beforeAll, describe, expect, test } from "vitest"
import { evolve } from "../../../command/orders/aggregate/events.ts"
import type { Order } from "../../../command/orders/aggregate/order.ts"
import { fromStoredEvent } from "../../../command/orders/store/event-codecs.ts"
import { orderId } from "../../../command/vocabulary/ids.ts"
import { propertyRuns } from "../../support/properties.ts"
import { givenService } from "../given/running-service.ts"
import { comparable, itemRowsOf, itemsJson, orderJson, orderRowOf } from "./given/folded-row.ts"

const service = givenService()

const statusesOf = (answers: { status: number }[]) =>
  answers.map(({ status }) => status).sort((one, other) => one - other)

describe("writers of one order at the same time", () => {
  test("that name the same version: one succeeds, the others learn the present version", async () => {
    const path = await service.createDraft()
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        service.call("PATCH", path, { note: `writer ${index}` }, { "If-Match": '"1"' }),
      ),
    )
    expect(statusesOf(answers)).toEqual([200, ...Array.from({ length: 9 }, () => 412)])
    for (const { body } of answers.filter(({ status }) => status === 412)) {
      expect(body).toMatchObject({ current_version: 2 })
    }
  })

  test("that name no version are taken one by one, and no line is lost", async () => {
    const path = await service.createDraft()
    const item = { product_id: "product-457", quantity: 1 }
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => service.call("POST", `${path}/items`, item)),
    )
    expect(statusesOf(answers)).toEqual(Array.from({ length: 20 }, () => 200))
    const { body } = await service.call("PATCH", path, { note: "n" })
    expect(body).toMatchObject({ version: 22, total: { amount: "1019.99" } })
    expect(body.items).toHaveLength(21)
  })

  test("that confirm and cancel: each sees the other's result", async () => {
    const path = await service.createDraft()
    const answers = await Promise.all([
      service.call("POST", `${path}/cancel`, { reason: "r" }),
      ...Array.from({ length: 4 }, () => service.call("POST", `${path}/confirm`)),
    ])
    for (const { status, body } of answers) {
      if (status !== 200) expect(body.type).toBe("urn:lockstep:problem:order-not-draft")
    }
    expect(answers[0]?.status).toBe(200)
  })

  test("that get an event's place taken are told so", async () => {
    const path = await service.createDraft()
    await service.db
      .insertInto("order_events")
      .values({ order_id: path.slice("/orders/".length), version: 2, type: "Foreign", payload: "{}" })
      .execute()
    const { status, body } = await service.call("PATCH", path, { note: "n" })
    expect([status, body.type]).toEqual([409, "urn:lockstep:problem:version-conflict"])
  })
})

describe("order_events", () => {
  const address = { street: "1 Main St", city: "c", zip: "1" }

  beforeAll(async () => {
    const rules: [path: string, body: object][] = [
      ["/discounts", { code: "TEN", basis_points: 1000 }],
      ["/discounts", { code: "FIVE", amount: "5.00", currency: "USD" }],
      ["/shipping-rules", { country: "US", currency: "USD", price: "4.90" }],
      ["/tax-rates", { country: "US", basis_points: 825 }],
      ["/tax-rates", { country: "DE", basis_points: 1900 }],
    ]
    for (const [path, body] of rules) expect((await service.call("POST", path, body)).status).toBe(201)
  })

  test("fold to the order's row and items after random histories", async () => {
    const line = fc.integer({ min: 1, max: 5 })
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc
          .tuple(
            fc.constantFrom("product-456", "product-457", "product-459"),
            fc.integer({ min: 1, max: 50 }),
          )
          .map(([product_id, quantity]) => ["POST", "/items", { product_id, quantity }] as const),
      },
      {
        weight: 2,
        arbitrary: fc
          .tuple(line, fc.integer({ min: 1, max: 50 }))
          .map(([changed, quantity]) => ["PATCH", `/items/${changed}`, { quantity }] as const),
      },
      { weight: 2, arbitrary: line.map((removed) => ["DELETE", `/items/${removed}`, undefined] as const) },
      { weight: 1, arbitrary: fc.constant(["PATCH", "", { note: "n" }] as const) },
      {
        weight: 2,
        arbitrary: fc
          .constantFrom("US", "DE", null)
          .map((country) => ["PATCH", "", { shipping_address: country && { ...address, country } }] as const),
      },
      {
        weight: 2,
        arbitrary: fc
          .subarray(["TEN", "FIVE"])
          .map((discount_codes) => ["PATCH", "", { discount_codes }] as const),
      },
      { weight: 1, arbitrary: fc.constant(["POST", "/confirm", undefined] as const) },
      { weight: 1, arbitrary: fc.constant(["POST", "/cancel", { reason: "no longer wanted" }] as const) },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        const path = await service.createDraft(3)
        for (const [method, suffix, body] of steps) await service.call(method, path + suffix, body)
        const id = path.slice("/orders/".length)
        const folded = await fold(id)
        expect(comparable({ row: orderRowOf(folded), items: itemRowsOf(folded) })).toEqual(
          comparable(await readRow(id)),
        )
      }),
      propertyRuns("commands at once", 15),
    )
  })

  async function fold(id: string): Promise<Order> {
    const events = await service.db
      .selectFrom("order_events")
      .selectAll()
      .where("order_id", "=", id)
      .orderBy("version")
      .execute()
    let order: Order | undefined
    for (const event of events) order = evolve(order, fromStoredEvent(orderId.parse(id), event))
    if (!order) throw new Error(`${id} has no events`)
    return order
  }

  async function readRow(id: string): Promise<object | undefined> {
    const { rows } = await sql<{ row: object; items: object[] }>`
      select ${orderJson} as row, ${itemsJson} as items from orders o where o.id = ${id}`.execute(service.db)
    return rows[0]
  }
})
