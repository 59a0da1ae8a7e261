// A customer is erased: what is gone, what stays, and what every other command says to it afterwards or meanwhile.
// One file: it is one subject, told by one customer's orders.
import { randomUUID } from "node:crypto"
import { sql } from "kysely"
import { describe, expect, test } from "vitest"
import { evolve } from "../../../command/orders/aggregate/events.ts"
import type { Order } from "../../../command/orders/aggregate/order.ts"
import { fromStoredEvent } from "../../../command/orders/store/event-codecs.ts"
import { orderId } from "../../../command/vocabulary/ids.ts"
import { waitFor } from "../../support/wait.ts"
import { givenService } from "../given/running-service.ts"

const service = givenService()

const problem = (code: string) => `urn:lockstep:problem:${code}`
const idOf = (path: string): string => path.split("/")[2] ?? ""

async function createCustomer(mark: string): Promise<string> {
  const { headers, text } = await service.call(
    "POST",
    "/customers",
    {
      email: `${mark}@example.com`,
      name: `${mark} name`,
      phone: "+1 212 555 0100",
      address: { street: `${mark} street`, city: "c", zip: "1" },
    },
    { "Idempotency-Key": randomUUID() },
  )
  const path = headers.get("location")
  if (path === null) throw new Error(`no customer was created: ${text}`)
  return path
}

async function createOrder(customer: string, more: object = {}): Promise<string> {
  const items = [{ product_id: "product-456", quantity: 2 }]
  const request = { customer_id: idOf(customer), items, ...more }
  const { headers, text } = await service.call("POST", "/orders", request, {
    "Idempotency-Key": randomUUID(),
  })
  const path = headers.get("location")
  if (path === null) throw new Error(`no order was created: ${text}`)
  return path
}

/** Every column of every table in which the text occurs. */
async function placesOf(text: string): Promise<string[]> {
  const tables = await sql<{ name: string }>`
    select tablename as name from pg_tables where schemaname = 'public'`.execute(service.db)
  const places: string[] = []
  for (const { name } of tables.rows) {
    const { rows } = await sql<{ row: string }>`
      select to_jsonb(t)::text as row from ${sql.table(name)} t
      where position(${text} in to_jsonb(t)::text) > 0`.execute(service.db)
    places.push(...rows.map(({ row }) => `${name} ${row}`))
  }
  return places
}

describe("erasing a customer", () => {
  test("removes every trace of personal data, keeps orders and sums, and says so", async () => {
    const mark = `mark-${randomUUID()}`
    const customer = await createCustomer(mark)
    const address = { street: `${mark} shipped`, city: "c", zip: "1", country: "US" }
    const order = await createOrder(customer, { shipping_address: address, note: `${mark} note` })
    await service.call("PATCH", order, { note: `${mark} second` }, { "Idempotency-Key": randomUUID() })
    await service.call("POST", `${order}/cancel`, { reason: `${mark} reason` })
    const quiet = await createOrder(customer)
    await service.db
      .updateTable("orders")
      .set({ status: "delivered" })
      .where("id", "=", idOf(quiet))
      .execute()
    await sql`
      insert into payments (order_id, payment, status, amount_minor, captured_minor, currency, provider)
      values (${idOf(quiet)}, 1, 'captured', 5, 5, 'USD', 'sandbox')`.execute(service.db)
    await sql`
      insert into refunds (order_id, refund, payment, status, amount_minor, currency, reason)
      values (${idOf(quiet)}, 1, 1, 'succeeded', 5, 'USD', ${`${mark} broken`})`.execute(service.db)
    await sql`
      insert into shipments (order_id, shipment, carrier, tracking)
      values (${idOf(quiet)}, 1, 'post', ${`${mark} tracking`})`.execute(service.db)
    const plain = await createOrder(customer)
    await service.db
      .updateTable("orders")
      .set({ status: "delivered" })
      .where("id", "=", idOf(plain))
      .execute()
    const bystander = await createCustomer(`other-${randomUUID()}`)
    expect((await placesOf(mark)).length).toBeGreaterThan(7)

    const { status, body, headers } = await service.call("DELETE", customer)
    expect(status).toBe(200)
    expect(headers.get("etag")).toBe('"2"')
    expect(body).toMatchObject({
      customer_id: idOf(customer),
      version: 2,
      orders_touched: 2,
      cleared: {
        "customers.email": 1,
        "customers.name": 1,
        "customers.phone": 1,
        "customers.address": 1,
        "orders.shipping_address": 1,
        "orders.note": 1,
        "orders.cancel_reason": 1,
        "refunds.reason": 1,
        "shipments.tracking": 1,
        "order_events.reason": 1,
        idempotency_keys: 5,
      },
      read_side: `npx lockstep erasure report ${idOf(customer)} --json`,
    })
    expect(await placesOf(mark)).toEqual([])

    const row = await service.db
      .selectFrom("customers")
      .selectAll()
      .where("id", "=", idOf(customer))
      .executeTakeFirstOrThrow()
    expect(row).toMatchObject({ name: "Erased", email: `${idOf(customer)}@erased.invalid`, phone: null })
    expect(row.erased_at).toEqual(new Date(String(body.erased_at)))
    const versions = await service.db
      .selectFrom("orders")
      .select(["id", "version", "total_minor"])
      .where("customer_id", "=", idOf(customer))
      .execute()
    expect(new Map(versions.map(({ id, version }) => [id, version]))).toEqual(
      new Map([
        [idOf(order), 4],
        [idOf(quiet), 2],
        [idOf(plain), 1],
      ]),
    )
    expect(versions.map(({ total_minor }) => total_minor)).toEqual([5998n, 5998n, 5998n])
    expect(await placesOf(idOf(bystander))).toHaveLength(2)
  })

  test("leaves histories from which the order still follows, with an event of the erasure", async () => {
    const customer = await createCustomer(`mark-${randomUUID()}`)
    const order = await createOrder(customer, { note: "n" })
    await service.call("POST", `${order}/cancel`, { reason: "r" })
    await service.call("DELETE", customer)
    const events = await service.db
      .selectFrom("order_events")
      .selectAll()
      .where("order_id", "=", idOf(order))
      .orderBy("version")
      .execute()
    expect(events.at(-1)).toMatchObject({
      version: 3,
      type: "PersonalDataErased",
      payload: { columns: ["orders.note", "orders.cancel_reason", "order_events.reason"] },
      reason: null,
    })
    let folded: Order | undefined
    for (const event of events) {
      folded = evolve(folded, fromStoredEvent(orderId.parse(idOf(order)), event))
    }
    expect(folded).toMatchObject({ status: "cancelled", version: 3 })
  })

  test("is refused while orders are open, naming up to a hundred, and changes nothing", async () => {
    const mark = `mark-${randomUUID()}`
    const customer = await createCustomer(mark)
    const order = await createOrder(customer)
    for (const status of ["draft", "confirmed", "paid", "shipped"] as const) {
      await service.db.updateTable("orders").set({ status }).where("id", "=", idOf(order)).execute()
      const refused = await service.call("DELETE", customer)
      expect([refused.status, refused.body.type]).toEqual([409, problem("customer-has-open-orders")])
      expect(refused.body).toMatchObject({ open_orders: 1, orders: [{ id: idOf(order), status }] })
    }
    await sql`
      insert into orders (id, customer_id, status, currency, subtotal_minor, total_minor, version)
      select ${mark} || n, ${idOf(customer)}, 'draft', 'USD', 0, 0, 1 from generate_series(1, 120) n`.execute(
      service.db,
    )
    const { body } = await service.call("DELETE", customer)
    expect(body.open_orders).toBe(121)
    expect(body.orders).toHaveLength(100)
    expect(await placesOf(`${mark}@example.com`)).not.toEqual([])
  })

  test("obeys If-Match, is done once under a key, and may be asked again", async () => {
    const customer = await createCustomer(`mark-${randomUUID()}`)
    const stale = await service.call("DELETE", customer, undefined, { "If-Match": '"7"' })
    expect([stale.status, stale.body.current_version]).toEqual([412, 1])
    const key = { "Idempotency-Key": randomUUID(), "If-Match": '"1"' }
    const first = await service.call("DELETE", customer, undefined, key)
    const again = await service.call("DELETE", customer, undefined, key)
    expect([again.status, again.text]).toEqual([200, first.text])
    expect(again.headers.get("idempotency-replayed")).toBe("true")
    const later = await service.call("DELETE", customer)
    expect(later.body).toMatchObject({ erased_at: first.body.erased_at, orders_touched: 0, version: 3 })
    expect(later.body.cleared).toMatchObject({ "customers.email": 0, "customers.address": 0 })
    const nobody = await service.call("DELETE", "/customers/nobody")
    expect([nobody.status, nobody.body.type]).toEqual([404, problem("customer-not-found")])
    const withBody = await service.call("DELETE", customer, { really: true })
    expect([withBody.status, withBody.body.type]).toEqual([422, problem("invalid-request")])
  })

  test("makes every command that names the customer be refused, and their address stay nobody's", async () => {
    const mark = `mark-${randomUUID()}`
    const customer = await createCustomer(mark)
    await service.call("DELETE", customer)
    const order = { customer_id: idOf(customer), currency: "USD", items: [] }
    for (const [method, path, body] of [
      ["POST", "/orders", order],
      ["PATCH", customer, { name: "Again" }],
    ] as const) {
      const refused = await service.call(method, path, body)
      expect([refused.status, refused.body.type]).toEqual([409, problem("customer-erased")])
    }
    const returning = await service.call("POST", "/customers", { email: `${mark}@example.com`, name: "Back" })
    expect(returning.status).toBe(201)
    const squatter = { email: `customer-1@ERASED.invalid`, name: "Squatter" }
    expect((await service.call("POST", "/customers", squatter)).status).toBe(422)
  })

  test("lets an order of theirs be refunded, and no reason be written down", async () => {
    const customer = await createCustomer(`mark-${randomUUID()}`)
    const order = await createOrder(customer)
    await service.db
      .updateTable("orders")
      .set({ status: "delivered" })
      .where("id", "=", idOf(order))
      .execute()
    await service.call("DELETE", customer)
    const refund = (body: object) => service.call("POST", `${order}/refunds`, body)
    const refused = await refund({ reason: "they are ill" })
    expect([refused.status, refused.body.type]).toEqual([409, problem("customer-erased")])
    // Nothing was paid, but nobody minds whose order it is.
    expect((await refund({})).body.type).toBe(problem("refund-exceeds-captured"))
  })

  test("and creating an order for the customer at the same moment: one of both happens", async () => {
    const outcomes = new Set<string>()
    for (let round = 0; round < 20; round++) {
      const customer = await createCustomer(`mark-${randomUUID()}`)
      const request = { customer_id: idOf(customer), currency: "USD", items: [], note: "remember me" }
      const create = () => service.call("POST", "/orders", request)
      const erase = () => service.call("DELETE", customer)
      const [created, erased] =
        round % 2 === 0
          ? await Promise.all([create(), erase()])
          : (await Promise.all([erase(), create()])).toReversed()
      outcomes.add(`${created?.status} ${erased?.status}`)
      const notes = await service.db
        .selectFrom("orders")
        .select("note")
        .where("customer_id", "=", idOf(customer))
        .execute()
      expect(notes).toHaveLength(created?.status === 201 ? 1 : 0)
    }
    expect([...outcomes].filter((outcome) => outcome !== "201 409" && outcome !== "409 200")).toEqual([])
  })

  test("waits for an order that is being created, and is waited for", async () => {
    const customer = await createCustomer(`mark-${randomUUID()}`)
    let erased: Promise<{ status: number }> | undefined
    await service.db.transaction().execute(async (trx) => {
      await sql`select from customers where id = ${idOf(customer)} for key share`.execute(trx)
      erased = service.call("DELETE", customer)
      await isWaiting("customers")
      await sql`
        insert into orders (id, customer_id, status, currency, subtotal_minor, total_minor, version)
        values (${idOf(customer)}, ${idOf(customer)}, 'draft', 'USD', 0, 0, 1)`.execute(trx)
    })
    expect((await erased)?.status).toBe(409)

    const other = await createCustomer(`mark-${randomUUID()}`)
    let created: Promise<{ status: number; body: Record<string, unknown> }> | undefined
    await service.db.transaction().execute(async (trx) => {
      await sql`select from customers where id = ${idOf(other)} for update`.execute(trx)
      created = service.call("POST", "/orders", { customer_id: idOf(other), currency: "USD", items: [] })
      await isWaiting("customers")
      await sql`update customers set erased_at = now() where id = ${idOf(other)}`.execute(trx)
    })
    expect((await created)?.body.type).toBe(problem("customer-erased"))
  })
})

/** Resolves when a session of the service waits for a lock on a row of the table. */
async function isWaiting(table: string): Promise<void> {
  await waitFor(async () => {
    const { rows } = await sql`
      select from pg_stat_activity
      where wait_event_type = 'Lock' and application_name = 'lockstep-command'
        and datname = current_database() and query like ${`%${table}%`}`.execute(service.db)
    return rows.length > 0
  }, "the command waits for the lock")
}
