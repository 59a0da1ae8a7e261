// Event sourcing holds: the events of an order, folded up to any version, give its row, items, payments, refunds and
// shipments as they were committed with that version. And the sums over all orders are right: stock, and money.
// One file: every test folds the events of the same orders.
import fc from "fast-check"
import { sql } from "kysely"
import { beforeAll, expect, test } from "vitest"
import { evolve } from "../../../../command/orders/aggregate/events.ts"
import type { Order } from "../../../../command/orders/aggregate/order.ts"
import { transitions } from "../../../../command/orders/aggregate/transitions.ts"
import { fromStoredEvent } from "../../../../command/orders/store/event-codecs.ts"
import { orderId } from "../../../../command/vocabulary/ids.ts"
import { propertyRuns } from "../../../support/properties.ts"
import { times } from "../../../support/times.ts"
import { givenService } from "../../given/running-service.ts"
import { hasty, idOf, settled } from "../../payments/given/paying.ts"
import { comparable, itemRowsOf, itemsJson, orderJson, orderRowOf } from "../given/folded-row.ts"

const service = givenService({ ...hasty, paymentAnswerSeconds: 0.15 })
/** What there was before the first order. */
let initialStock: Level[]

beforeAll(async () => {
  initialStock = await stock()
  await service.call("POST", "/discounts", { code: "TEN", basis_points: 1000 })
  await service.call("POST", "/tax-rates", { country: "US", basis_points: 825 })
  // Whatever a transaction commits with an event is noted as it is at the commit.
  await sql`
    create table committed (order_id text, version integer, was jsonb, primary key (order_id, version));
    create function note_committed() returns trigger language plpgsql security definer as $$
    begin
      insert into committed select new.order_id, new.version, jsonb_build_object(
        'row', ${orderJson}, 'items', ${itemsJson},
        'payments', (select coalesce(jsonb_agg(jsonb_build_array(payment, status, amount_minor, captured_minor,
          refunded_minor, provider_reference, failure) order by payment), '[]') from payments where order_id = o.id),
        'refunds', (select coalesce(jsonb_agg(jsonb_build_array(refund, payment, status, amount_minor,
          provider_reference, failure) order by refund), '[]') from refunds where order_id = o.id),
        'shipments', (select coalesce(jsonb_agg(jsonb_build_array(shipment, carrier, created_at, delivered_at,
          (select jsonb_agg(jsonb_build_array(line, quantity) order by line) from shipment_items i
            where i.order_id = s.order_id and i.shipment = s.shipment)) order by shipment), '[]')
          from shipments s where order_id = o.id))
      from orders o where o.id = new.order_id;
      return null;
    end $$;
    create constraint trigger note_committed after insert on order_events
      deferrable initially deferred for each row execute function note_committed()`.execute(service.db)
})

const token = fc.constantFrom(
  ...["sandbox-ok", "sandbox-ok", "sandbox-ok", "sandbox-declined", "sandbox-repeats-itself"],
  ...["sandbox-loses-answer", "sandbox-refund-declined", "sandbox-capture-declined"],
)
const number = fc.integer({ min: 1, max: 3 })
const amount = fc.constantFrom(undefined, undefined, "10.00", "20.00")
type Step = readonly [method: string, below: string, body: object | undefined]

const part: Step = ["POST", "/shipments", { carrier: "Post", items: [{ line: 1, quantity: 1 }] }]

/** Lives that chance would seldom live, and their statuses. */
const lives: [name: string, steps: Step[], statuses: string[]][] = [
  [
    "the longest",
    [
      ["POST", "/payments", { amount: "10.00" }],
      ["POST", "/payments", { capture: false, method_token: "sandbox-loses-answer" }],
      ["PATCH", "", { note: "n" }],
      ["POST", "/payments/2/capture", undefined],
      part,
      ["POST", "/shipments", { carrier: "Post" }],
      ["POST", "/shipments/2/deliver", undefined],
      ["POST", "/shipments/1/deliver", undefined],
      ["POST", "/refunds", { amount: "20.00", reason: "r" }],
      ["POST", "/refunds", {}],
    ],
    ["draft", "confirmed", "paid", "shipped", "delivered"],
  ],
  [
    "one refunded while a part is under way",
    [
      ["POST", "/payments", {}],
      part,
      ["POST", "/refunds", { amount: "20.00" }],
      ["POST", "/refunds", {}],
      ["POST", "/shipments/1/deliver", undefined],
    ],
    ["draft", "confirmed", "paid", "shipped", "delivered"],
  ],
  [
    "one refunded when a part has arrived",
    [["POST", "/payments", {}], part, ["POST", "/shipments/1/deliver", undefined], ["POST", "/refunds", {}]],
    ["draft", "confirmed", "paid", "delivered"],
  ],
  [
    "one of whose two refunds the second fails, so that the rest is shipped after all",
    [
      ["POST", "/payments", { amount: "10.00" }],
      ["POST", "/payments", { method_token: "sandbox-refund-declined" }],
      part,
      ["POST", "/refunds", {}],
      ["POST", "/shipments", { carrier: "Post" }],
    ],
    ["draft", "confirmed", "paid", "shipped"],
  ],
]

const drafting = fc.oneof(
  fc.constantFrom<Step>(
    ["PATCH", "", { discount_codes: ["TEN"] }],
    ["PATCH", "", { shipping_address: { street: "s", city: "c", zip: "1", country: "US" } }],
  ),
  fc
    .record({ product_id: fc.constantFrom("product-456", "product-457"), quantity: number })
    .map((body): Step => ["POST", "/items", body]),
  fc.tuple(number, number).map(([line, quantity]): Step => ["PATCH", `/items/${line}`, { quantity }]),
  number.map((line): Step => ["DELETE", `/items/${line}`, undefined]),
)
const later = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .record({ amount, method_token: token, capture: fc.boolean() })
      .map((body): Step => ["POST", "/payments", body]),
  },
  { weight: 3, arbitrary: number.map((n): Step => ["POST", `/payments/${n}/capture`, undefined]) },
  { weight: 2, arbitrary: amount.map((of): Step => ["POST", "/refunds", { amount: of, reason: "r" }]) },
  {
    weight: 3,
    arbitrary: fc.option(fc.tuple(number, number), { nil: undefined }).map((part): Step => {
      const items = part && [{ line: part[0], quantity: part[1] }]
      return ["POST", "/shipments", { carrier: "Post", tracking: "RR 1", items }]
    }),
  },
  { weight: 3, arbitrary: number.map((n): Step => ["POST", `/shipments/${n}/deliver`, undefined]) },
  { weight: 1, arbitrary: fc.constant<Step>(["POST", "/cancel", { reason: "r" }]) },
  { weight: 1, arbitrary: fc.constant<Step>(["PATCH", "", { note: "n" }]) },
)

test(
  "random histories fold to what was committed, at every version",
  async () => {
    const histories = fc.tuple(
      fc.array(drafting, { maxLength: 3 }),
      fc.array(later, { minLength: 4, maxLength: 14 }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(histories, { minLength: 6, maxLength: 6 }), async (orders) => {
        const paths = await Promise.all(orders.map(([first, then]) => live(first, then)))
        for (const path of paths) await checkFolds(path)
      }),
      propertyRuns("folded rows", 8),
    )
    await checkSums()
  },
  120_000 * times,
)

test.each(lives)("so does a rare life: %s", async (_, steps, expected) => {
  const statuses = await checkFolds(await live([], steps, "one by one"))
  expect([...new Set(statuses)]).toEqual(expected)
  await checkSums()
})

/** An order of two keyboards on which all of this is tried; the provider has answered everything when it returns. */
async function live(
  first: readonly Step[],
  then: readonly Step[],
  pace: "at once" | "one by one" = "at once",
): Promise<string> {
  const path = await service.createDraft(2)
  for (const [method, below, body] of [...first, ["POST", "/confirm", undefined] as const]) {
    await service.call(method, path + below, body)
  }
  for (const [method, below, body] of then) {
    await service.call(method, path + below, body)
    if (pace === "one by one") await settled(service, path)
  }
  await settled(service, path)
  return path
}

/** Returns the statuses that the order had, version by version. */
async function checkFolds(path: string): Promise<string[]> {
  const id = idOf(path)
  const statuses: string[] = []
  const events = await service.db
    .selectFrom("order_events")
    .selectAll()
    .where("order_id", "=", id)
    .orderBy("version")
    .execute()
  const { rows } = await sql<{ version: number; was: unknown }>`
    select version, was from committed where order_id = ${id} order by version`.execute(service.db)
  expect(rows.map(({ version }) => version)).toEqual(events.map(({ version }) => version))
  let order: Order | undefined
  for (const [index, event] of events.entries()) {
    const status = order?.status
    order = evolve(order, fromStoredEvent(orderId.parse(id), event))
    expect(asCommitted(order), `${id} at ${event.version}, ${event.type}`).toEqual(
      comparable(rows[index]?.was),
    )
    if (status) expect(Object.values(transitions[status]).flat(), event.type).toContain(order.status)
    statuses.push(order.status)
  }
  return statuses
}

function asCommitted(order: Order): unknown {
  const { fulfilment } = order
  return comparable({
    row: orderRowOf(order),
    items: itemRowsOf(order),
    payments: fulfilment.payments.map((one) => [
      ...[one.payment, one.status, one.amountMinor, one.capturedMinor],
      ...[one.refundedMinor, one.reference, one.failure],
    ]),
    refunds: fulfilment.refunds.map((one) => [
      ...[one.refund, one.payment, one.status, one.amountMinor, one.reference, one.failure],
    ]),
    shipments: fulfilment.shipments.map((one) => [
      ...[one.shipment, one.carrier, one.shippedAt, one.deliveredAt],
      one.items.map(({ line, quantity }) => [line, quantity]),
    ]),
  })
}

type Level = { product_id: string; on_hand: bigint; reserved: bigint }

async function stock(): Promise<Level[]> {
  return await service.db
    .selectFrom("inventory")
    .select(["product_id", "on_hand", "reserved"])
    .orderBy("product_id")
    .execute()
}

async function checkSums(): Promise<void> {
  const { rows: lines } = await sql<{ product_id: string; reserved: bigint; shipped: bigint }>`
    select product_id, sum(reserved_quantity) as reserved, sum(shipped_quantity) as shipped
    from order_items group by product_id`.execute(service.db)
  const of = (product: string) => lines.find(({ product_id }) => product_id === product)
  expect(await stock()).toEqual(
    initialStock.map(({ product_id, on_hand }) => ({
      product_id,
      on_hand: on_hand - BigInt(of(product_id)?.shipped ?? 0),
      reserved: BigInt(of(product_id)?.reserved ?? 0),
    })),
  )
  const { rows } = await sql<{ orders: bigint[]; sandbox: bigint[] }>`
    select (select array[sum(captured_minor)::bigint, sum(refunded_minor)::bigint] from orders) as orders,
      array[sum(amount_minor) filter (where answer ->> 'state' = 'captured')::bigint,
        sum(amount_minor) filter (where answer ->> 'state' = 'refunded')::bigint] as sandbox
    from sandbox_operations`.execute(service.db)
  expect(rows[0]?.sandbox).toEqual(rows[0]?.orders)
}
