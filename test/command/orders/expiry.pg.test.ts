// Reservations that are over, with two instances of the service at work on the same orders.
import { afterAll, beforeAll, expect, test } from "vitest"
import { start } from "../../../command/start.ts"
import { waitFor } from "../../support/wait.ts"
import { givenService } from "../given/running-service.ts"
import { confirmedOrder, eventsOf, idOf, keyboardsOf, look } from "../payments/given/paying.ts"

const service = givenService({ scheduleSeconds: 0.05 })
let other: Awaited<ReturnType<typeof start>>

beforeAll(async () => {
  other = await start({ ...service.config, port: 0 })
})

afterAll(async () => {
  await other?.stop()
})

const stock = () => keyboardsOf(service)

const letPass = (...paths: string[]) =>
  service.db
    .updateTable("orders")
    .set({ reserved_until: new Date(Date.now() - 1_000) })
    .where("id", "in", paths.map(idOf))
    .execute()

test("orders are cancelled once by one of two instances, and their stock comes back", async () => {
  const before = await stock()
  const paths: string[] = []
  for (let index = 0; index < 30; index++) paths.push(await confirmedOrder(service, 2))
  expect((await stock()).reserved).toBe(before.reserved + 60n)
  await letPass(...paths)
  await waitFor(async () => (await stock()).reserved === before.reserved, "all stock is free again")
  for (const path of paths) {
    expect(await eventsOf(service, path)).toEqual(["OrderCreated", "OrderConfirmed", "OrderCancelled"])
    expect(await look(service, path)).toMatchObject({
      status: "cancelled",
      cancel_reason: "reservation-expired",
      reserved_until: null,
    })
  }
  expect(await stock()).toEqual(before)
})

test("orders that are paid, drafts, and orders with a payment under way are left alone", async () => {
  const [paid, authorized, due] = [
    await confirmedOrder(service),
    await confirmedOrder(service),
    await confirmedOrder(service),
  ]
  await service.call("POST", `${paid}/payments`, {})
  await service.call("POST", `${authorized}/payments`, { capture: false })
  await letPass(authorized, due)
  await waitFor(
    async () => (await look(service, due)).status === "cancelled",
    "the one that is due is cancelled",
  )
  expect(await look(service, authorized)).toMatchObject({ status: "confirmed" })
  expect(await look(service, paid)).toMatchObject({ status: "paid" })
})

test("what was paid of an order in part is given back when its reservation is over", async () => {
  const path = await confirmedOrder(service)
  await service.call("POST", `${path}/payments`, { amount: "10.00" })
  await letPass(path)
  await waitFor(async () => (await look(service, path)).refunded_minor === 1000n, "the part is given back")
  expect(await look(service, path)).toMatchObject({ status: "cancelled", captured_minor: 1000n })
})
