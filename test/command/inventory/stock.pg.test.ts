// Stock under orders that are confirmed and cancelled at the same time: never oversold, never lost.
import { beforeEach, describe, expect, test } from "vitest"
import { waitFor } from "../../support/wait.ts"
import { type Answer, givenService } from "../given/running-service.ts"

const service = givenService()

const stockUp = (productId: string, onHand: bigint) =>
  service.db
    .insertInto("inventory")
    .values({ product_id: productId, on_hand: onHand, reserved: 0n })
    .onConflict((conflict) => conflict.column("product_id").doUpdateSet({ on_hand: onHand, reserved: 0n }))
    .execute()

const stockOf = (productId: string) =>
  service.db
    .selectFrom("inventory")
    .select(["on_hand", "reserved"])
    .where("product_id", "=", productId)
    .executeTakeFirstOrThrow()

async function draftOf(...items: [productId: string, quantity: number][]): Promise<string> {
  const { headers, text } = await service.call("POST", "/orders", {
    customer_id: "customer-123",
    items: items.map(([product_id, quantity]) => ({ product_id, quantity })),
  })
  const location = headers.get("location")
  if (location === null) throw new Error(text)
  return location
}

/** Confirms as a client does that is told to come back when the service has no connection free. */
async function confirm(path: string): Promise<Answer> {
  let answer: Answer | undefined
  await waitFor(async () => {
    answer = await service.call("POST", `${path}/confirm`)
    return answer.status !== 503
  }, `${path} is confirmed or refused`)
  if (!answer) throw new Error("nobody answered")
  return answer
}

beforeEach(async () => {
  await stockUp("product-456", 50n)
  await stockUp("product-457", 50n)
})

describe("stock", () => {
  test("is never oversold by a hundred orders confirmed at once", async () => {
    const drafts = await Promise.all(Array.from({ length: 100 }, () => draftOf(["product-456", 1])))
    const answers = await Promise.all(drafts.map(confirm))
    const refused = answers.filter(({ status }) => status !== 200)
    expect(answers).toHaveLength(100)
    expect(refused).toHaveLength(50)
    for (const { body } of refused) {
      expect(body).toMatchObject({
        type: "urn:lockstep:problem:insufficient-stock",
        products: [{ product_id: "product-456", wanted: 1, available: 0 }],
      })
    }
    expect(await stockOf("product-456")).toEqual({ on_hand: 50n, reserved: 50n })
  })

  test("is reserved by orders that name the same products in different sequences, without deadlock", async () => {
    const drafts = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        index % 2 === 0
          ? draftOf(["product-456", 1], ["product-457", 1])
          : draftOf(["product-457", 1], ["product-456", 1]),
      ),
    )
    const answers = await Promise.all(drafts.map(confirm))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(await stockOf("product-456")).toEqual({ on_hand: 50n, reserved: 40n })
    expect(await stockOf("product-457")).toEqual({ on_hand: 50n, reserved: 40n })
  })

  test("is taken whole or not at all, and every short product is named", async () => {
    const path = await draftOf(["product-456", 30], ["product-457", 60], ["product-456", 21])
    const { status, body } = await service.call("POST", `${path}/confirm`)
    expect([status, body.type]).toEqual([409, "urn:lockstep:problem:insufficient-stock"])
    expect(body.products).toEqual([
      { product_id: "product-456", wanted: 51, available: 50 },
      { product_id: "product-457", wanted: 60, available: 50 },
    ])
    expect(await stockOf("product-456")).toEqual({ on_hand: 50n, reserved: 0n })
    const { rows } = await itemsOf(path)
    expect(rows).toEqual([0, 0, 0])
  })

  test("comes back when the order is cancelled", async () => {
    const path = await draftOf(["product-456", 30])
    await service.call("POST", `${path}/confirm`)
    expect(await stockOf("product-456")).toEqual({ on_hand: 50n, reserved: 30n })
    expect((await itemsOf(path)).rows).toEqual([30])
    await service.call("POST", `${path}/cancel`, { reason: "changed my mind" })
    expect(await stockOf("product-456")).toEqual({ on_hand: 50n, reserved: 0n })
    expect((await itemsOf(path)).rows).toEqual([0])
  })

  test("never runs short of a product that is not kept", async () => {
    await service.db.deleteFrom("inventory").where("product_id", "=", "product-457").execute()
    const path = await draftOf(["product-457", 100_000])
    expect((await service.call("POST", `${path}/confirm`)).status).toBe(200)
    expect((await itemsOf(path)).rows).toEqual([0])
  })
})

async function itemsOf(path: string): Promise<{ rows: number[] }> {
  const items = await service.db
    .selectFrom("order_items")
    .select("reserved_quantity")
    .where("order_id", "=", path.slice("/orders/".length))
    .orderBy("line")
    .execute()
  return { rows: items.map(({ reserved_quantity }) => reserved_quantity) }
}
