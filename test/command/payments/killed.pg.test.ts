// The service dies between the steps of a payment: before the provider hears of it, after it has acted, and while its
// answer is being recorded. Whoever comes next finds out what happened; nobody is charged twice, nothing stays open.
import { afterAll, beforeAll, expect, test } from "vitest"
import { createServiceProcess, type ServiceProcess } from "../../support/service-process.ts"
import { waitFor } from "../../support/wait.ts"
import { givenService } from "../given/running-service.ts"
import { confirmedOrder, eventsOf, idOf, moved, patient, settled } from "./given/paying.ts"

const service = givenService(patient)
let dying: ServiceProcess
let rescuer: ServiceProcess

beforeAll(async () => {
  const environment = { COMMAND_DATABASE_URL: service.config.databaseUrl, SCHEDULE_SECONDS: "3600" }
  dying = createServiceProcess("command", { ...environment, PAYMENT_ANSWER_SECONDS: "60" })
  rescuer = createServiceProcess("command", {
    ...environment,
    SCHEDULE_SECONDS: "0.05",
    PAYMENT_ANSWER_SECONDS: "0.5",
    PAYMENT_RETRY_SECONDS: "0.1",
  })
}, 60_000)

afterAll(async () => {
  await dying?.kill()
  await rescuer?.kill()
})

const asked = (path: string) =>
  service.db
    .selectFrom("sandbox_operations")
    .select(["key", "answer"])
    .where("key", "like", `${idOf(path)}/%`)
    .execute()

/** Time passes: what the dead service held is due now. */
const letPass = () =>
  service.db
    .updateTable("provider_calls")
    .set({ ask_at: new Date(0) })
    .execute()

test("a payment is charged once, whenever the service is killed", async () => {
  // The provider never hears the first question, or acts and never answers; both hold the service where it is to die.
  const cases = [
    { method_token: "sandbox-hangs", reached: (answers: unknown[]) => answers.length === 1 },
    { method_token: "sandbox-loses-answer", reached: (answers: unknown[]) => answers.some(Boolean) },
  ]
  const paths: { path: string; body: object; key: Record<string, string> }[] = []
  for (const { method_token, reached } of cases) {
    const path = await confirmedOrder(service)
    const url = await dying.start()
    const key = { "Idempotency-Key": `killed ${path}` }
    const request = fetch(`${url}${path}/payments`, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...key },
      body: JSON.stringify({ method_token }),
    }).catch(() => undefined)
    await waitFor(async () => reached((await asked(path)).map(({ answer }) => answer)), "it is asked")
    await dying.kill()
    await request
    paths.push({ path, body: { method_token }, key })
  }

  // Sent again with its key, a payment under way is no second payment.
  for (const { path, body, key } of paths) {
    const again = await service.call("POST", `${path}/payments`, body, key)
    expect([again.status, again.headers.get("idempotency-replayed")]).toEqual([202, "true"])
  }

  await letPass()
  await rescuer.start()
  for (const { path, body, key } of paths) {
    expect(await settled(service, path)).toMatchObject({ status: "paid", captured_minor: 5998n })
    expect(await moved(service, path)).toEqual({ taken: 5998n, given: 0n })
    expect((await eventsOf(service, path)).filter((type) => type === "PaymentProcessed")).toHaveLength(1)
    const again = await service.call("POST", `${path}/payments`, body, key)
    expect([again.status, again.body.status]).toEqual([200, "paid"])
  }
  await rescuer.kill()
}, 60_000)

test("a payment whose answer cannot be recorded is recorded later", async () => {
  const path = await confirmedOrder(service)
  // The database refuses the answer's event, once the provider has acted.
  await service.db
    .insertInto("order_events")
    .values({ order_id: idOf(path), version: 4, type: "Foreign", payload: "{}" })
    .execute()
  const answered = await service.call("POST", `${path}/payments`, {})
  expect(answered.status).toBe(202)
  expect(await moved(service, path)).toEqual({ taken: 5998n, given: 0n })
  await service.db
    .deleteFrom("order_events")
    .where("order_id", "=", idOf(path))
    .where("type", "=", "Foreign")
    .execute()
  await letPass()
  await rescuer.start()
  expect(await settled(service, path)).toMatchObject({ status: "paid", captured_minor: 5998n })
  expect(await moved(service, path)).toEqual({ taken: 5998n, given: 0n })
}, 60_000)

test("a cancelled order is refunded although the service is killed before it asks", async () => {
  const path = await confirmedOrder(service)
  await service.call("POST", `${path}/payments`, { method_token: "sandbox-hangs" })
  await letPass()
  await settled(service, path)
  await rescuer.kill()
  const url = await dying.start()
  const request = fetch(`${url}${path}/cancel`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ reason: "changed my mind" }),
  }).catch(() => undefined)
  await waitFor(async () => (await asked(path)).some(({ key }) => key.includes("/refunds/")), "it is asked")
  await dying.kill()
  await request
  await letPass()
  await rescuer.start()
  expect(await settled(service, path)).toMatchObject({ status: "cancelled", refunded_minor: 5998n })
  expect(await moved(service, path)).toEqual({ taken: 5998n, given: 5998n })
}, 60_000)
