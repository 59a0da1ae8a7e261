// The second half of an order's life: paid in one of the ways that payments go, sent, delivered, given back.
import { cancel, type Desk } from "./draft-story.ts"
import type { Outcome } from "./till.ts"

/** From a confirmed order to wherever this customer's story ends; what costs nothing is paid already. */
export async function fulfil(desk: Desk, path: string, isPaid: boolean): Promise<void> {
  const { random } = desk
  if (random.chance(0.06)) return
  if (!isPaid && !(await pay(desk, path))) {
    if (random.chance(0.5)) await cancel(desk, path)
    return
  }
  if (random.chance(0.08)) return cancel(desk, path)
  const refunded = random.chance(0.05)
  if (refunded) await refund(desk, path)
  const sent = await ship(desk, path, refunded)
  if (sent.length > 0 && random.chance(0.1)) await cancel(desk, path, ["order-not-cancellable"])
  for (const shipment of sent) if (random.chance(0.8)) await deliver(desk, path, shipment)
  if (random.chance(0.08)) await refund(desk, path)
}

/** True when the order is paid in full. */
async function pay({ till, random, newKey }: Desk, path: string): Promise<boolean> {
  const send = (body: object, refusals: readonly string[] = [], headers: Record<string, string> = {}) =>
    till.send({ name: "pay", method: "POST", path: `${path}/payments`, body, headers }, refusals)
  if (random.chance(0.05)) await send({ amount: "99999999" }, ["payment-exceeds-total"])
  if (random.chance(0.08)) await send({ method_token: "sandbox-declined" })
  if (random.chance(0.005)) {
    // The provider is silent; whether money has moved is known later, and the customer goes home.
    await send({ method_token: random.pick(["sandbox-hangs", "sandbox-loses-answer"]) })
    return false
  }
  const key = { "Idempotency-Key": newKey() }
  if (random.chance(0.15)) {
    const authorized = await send({ capture: false }, [], key)
    const payment = payments(authorized).at(-1)?.payment
    if (random.chance(0.1)) return false
    const capture = { name: "capture", method: "POST", path: `${path}/payments/${String(payment)}/capture` }
    return status(await till.send(capture)) === "paid"
  }
  const body = { method_token: random.chance(0.1) ? "sandbox-repeats-itself" : "sandbox-ok" }
  const paid = await send(body, [], key)
  // Who did not see the answer asks again, with the same key: nothing is charged twice.
  if (random.chance(0.2)) await send(body, [], key)
  if (random.chance(0.05)) await send({}, ["order-not-payable"])
  return status(paid) === "paid"
}

/** The numbers of what has left: all at once, or in two parts. */
async function ship({ till, random }: Desk, path: string, refunded: boolean): Promise<number[]> {
  const send = (body: object, refusals: readonly string[]) =>
    till.send({ name: "ship", method: "POST", path: `${path}/shipments`, body }, [
      ...refusals,
      ...(refunded ? ["order-refunded"] : []),
    ])
  const carrier = random.pick(["DHL", "UPS", "bicycle"])
  if (random.chance(0.3)) {
    await send({ carrier, items: [{ line: 1, quantity: 1 }], tracking: `T${random.below(1e9)}` }, [
      "line-not-found",
    ])
    if (random.chance(0.2)) {
      await send({ carrier, items: [{ line: 1, quantity: 100_000 }] }, [
        "quantity-exceeds-left",
        "order-not-shippable",
      ])
    }
  }
  if (random.chance(0.1)) return []
  const last = await send({ carrier }, ["order-not-shippable"])
  const shipments = last.body.shipments
  return Array.isArray(shipments) ? shipments.map((_, index) => index + 1) : []
}

async function deliver({ till, random }: Desk, path: string, shipment: number): Promise<void> {
  const send = (refusals: readonly string[] = []) =>
    till.send({ name: "deliver", method: "POST", path: `${path}/shipments/${shipment}/deliver` }, refusals)
  await send()
  if (random.chance(0.05)) await send(["shipment-delivered", "order-not-deliverable"])
}

async function refund({ till, random }: Desk, path: string): Promise<void> {
  const refusals = ["refund-exceeds-captured", "order-not-refundable"]
  const body = random.chance(0.5) ? { reason: "did not like it" } : { amount: "1", reason: "a scratch" }
  await till.send({ name: "refund", method: "POST", path: `${path}/refunds`, body }, refusals)
}

const status = ({ body }: Outcome): unknown => body.status

function payments({ body }: Outcome): { payment?: unknown }[] {
  return Array.isArray(body.payments) ? body.payments : []
}
