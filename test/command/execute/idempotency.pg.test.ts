import { randomUUID } from "node:crypto"
import { describe, expect, test } from "vitest"
import { purgeExpiredKeys } from "../../../command/execute/idempotency.ts"
import { type Answer, givenService } from "../given/running-service.ts"

const service = givenService()

const order = { customer_id: "customer-123", items: [{ product_id: "product-456", quantity: 2 }] }

const placeOrder = (key: string, body: object = order): Promise<Answer> =>
  service.call("POST", "/orders", body, { "Idempotency-Key": key })

async function countOrders(): Promise<number> {
  const rows = await service.db.selectFrom("orders").select("id").execute()
  return rows.length
}

/** Everything that must be the same in a replay; of the token all but the position, which may be later. */
const essence = ({ status, headers, text }: Answer) => ({
  status,
  text,
  location: headers.get("location"),
  etag: headers.get("etag"),
  transaction: headers.get("consistency-token")?.replace(/:\d+$/, ""),
})

describe("a repeated request with its Idempotency-Key", () => {
  test("gets the same answer, marked, and does nothing", async () => {
    const key = randomUUID()
    const first = await placeOrder(key)
    const before = await countOrders()
    const second = await placeOrder(key)
    expect(essence(second)).toEqual(essence(first))
    expect(first.headers.get("idempotency-replayed")).toBeNull()
    expect(second.headers.get("idempotency-replayed")).toBe("true")
    expect(await countOrders()).toBe(before)
  })

  test("is answered as before although the order has changed since", async () => {
    const path = await service.createDraft()
    const change = () => service.call("PATCH", path, { note: "n" }, { "Idempotency-Key": `change ${path}` })
    const first = await change()
    await service.call("POST", `${path}/confirm`)
    expect(essence(await change())).toEqual(essence(first))
  })

  test("does its work once when sent fifty times at once", async () => {
    const before = await countOrders()
    const key = randomUUID()
    const answers = await Promise.all(Array.from({ length: 50 }, () => placeOrder(key)))
    expect(new Set(answers.map((answer) => JSON.stringify(essence(answer)))).size).toBe(1)
    expect(answers[0]?.status).toBe(201)
    expect(answers.filter(({ headers }) => headers.get("idempotency-replayed") === null)).toHaveLength(1)
    expect(await countOrders()).toBe(before + 1)
  })
})

describe("an Idempotency-Key", () => {
  test("cannot be used for another body or another path", async () => {
    const key = randomUUID()
    await placeOrder(key)
    const path = await service.createDraft()
    for (const other of [
      await placeOrder(key, { ...order, note: "another" }),
      await service.call("POST", `${path}/confirm`, undefined, { "Idempotency-Key": key }),
    ]) {
      expect([other.status, other.body.type]).toEqual([422, "urn:lockstep:problem:idempotency-key-reused"])
    }
  })

  test("is free again after a refusal", async () => {
    const key = randomUUID()
    const refused = await placeOrder(key, { ...order, customer_id: "later" })
    expect(refused.body.type).toBe("urn:lockstep:problem:customer-unknown")
    await service.db
      .insertInto("customers")
      .values({ id: "later", email: "later@example.com", name: "Late" })
      .execute()
    const accepted = await placeOrder(key, { ...order, customer_id: "later" })
    expect(accepted.status).toBe(201)
    expect(accepted.headers.get("idempotency-replayed")).toBeNull()
  })

  test("is deleted when it has expired, also by two instances at once", async () => {
    const [old, fresh] = [randomUUID(), randomUUID()]
    await placeOrder(old)
    await placeOrder(fresh)
    await service.db
      .updateTable("idempotency_keys")
      .set({ created_at: new Date(Date.now() - 25 * 3_600_000) })
      .where("key", "=", old)
      .execute()
    const deleted = await Promise.all([purgeExpiredKeys(service.db, 24), purgeExpiredKeys(service.db, 24)])
    expect(deleted.reduce((sum, count) => sum + count, 0)).toBe(1)
    const kept = await service.db.selectFrom("idempotency_keys").select("key").execute()
    expect(kept.map(({ key }) => key)).toContain(fresh)
    expect(kept.map(({ key }) => key)).not.toContain(old)
  })
})
