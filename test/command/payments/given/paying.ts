// Orders on their way through payment, for the tests of what comes after confirming.
import { expect } from "vitest"
import { waitFor } from "../../../support/wait.ts"
import type { Answer, RunningService } from "../../given/running-service.ts"

/** Settings under which the provider is given up soon and asked again soon. */
export const hasty = { scheduleSeconds: 0.05, paymentAnswerSeconds: 1.5, paymentRetrySeconds: 0.1 }

/** Under these nobody asks again while a test looks. */
export const patient = { scheduleSeconds: 3_600, paymentAnswerSeconds: 1.5, paymentRetrySeconds: 3_600 }

/** Confirms a draft of this many keyboards at 29.99 and returns its path. */
export async function confirmedOrder(service: RunningService, quantity = 2): Promise<string> {
  const path = await service.createDraft(quantity)
  const { status, text } = await service.call("POST", `${path}/confirm`)
  expect(status, text).toBe(200)
  return path
}

export async function paidOrder(service: RunningService, quantity = 2, token?: string): Promise<string> {
  const path = await confirmedOrder(service, quantity)
  const { status, body, text } = await service.call("POST", `${path}/payments`, { method_token: token })
  expect([status, body.status], text).toEqual([200, "paid"])
  return path
}

export const idOf = (path: string): string => path.slice("/orders/".length)

/** The order as the write side answers it, by a change that changes nothing of interest. */
export async function look(service: RunningService, path: string): Promise<Record<string, unknown>> {
  const row = await service.db
    .selectFrom("orders")
    .selectAll()
    .where("id", "=", idOf(path))
    .executeTakeFirstOrThrow()
  const of = { payments: await rows("payments"), refunds: await rows("refunds") }
  return { ...row, ...of }

  async function rows(table: "payments" | "refunds") {
    return await service.db.selectFrom(table).selectAll().where("order_id", "=", idOf(path)).execute()
  }
}

/** Waits until the provider has been asked about everything. */
export async function settled(service: RunningService, path: string): Promise<Record<string, unknown>> {
  await waitFor(async () => {
    const open = await service.db
      .selectFrom("provider_calls")
      .select("key")
      .where("order_id", "=", idOf(path))
      .execute()
    return open.length === 0
  }, `nothing about ${path} is open with the provider`)
  return await look(service, path)
}

/** What the sandbox has taken and given back for an order, in minor units, however often it was asked. */
export async function moved(
  service: RunningService,
  path: string,
): Promise<{ taken: bigint; given: bigint }> {
  const done = await service.db
    .selectFrom("sandbox_operations")
    .select(["operation", "amount_minor", "answer"])
    .where("key", "like", `${idOf(path)}/%`)
    .execute()
  const sum = (state: string) =>
    done
      .filter(({ answer }) => JSON.stringify(answer).includes(`"${state}"`))
      .reduce((total, { amount_minor }) => total + amount_minor, 0n)
  return { taken: sum("captured"), given: sum("refunded") }
}

export async function eventsOf(service: RunningService, path: string): Promise<string[]> {
  const events = await service.db
    .selectFrom("order_events")
    .select("type")
    .where("order_id", "=", idOf(path))
    .orderBy("version")
    .execute()
  return events.map(({ type }) => type)
}

export const problemOf = ({ status, body }: Answer): [number, string] => [
  status,
  String(body.type).replace("urn:lockstep:problem:", ""),
]

/** The stock of the product that these orders are for. */
export const keyboardsOf = (service: RunningService) =>
  service.db
    .selectFrom("inventory")
    .select(["on_hand", "reserved"])
    .where("product_id", "=", "product-456")
    .executeTakeFirstOrThrow()
