import fc from "fast-check"
import { expect, test } from "vitest"
import type { OrderCommand } from "../../../../command/orders/aggregate/commands.ts"
import { decide } from "../../../../command/orders/aggregate/decide.ts"
import { evolve } from "../../../../command/orders/aggregate/events.ts"
import type { Order } from "../../../../command/orders/aggregate/order.ts"
import type { Known } from "../../../../command/orders/aggregate/repricing.ts"
import { fromStoredEvent, toStoredEvent } from "../../../../command/orders/store/event-codecs.ts"
import { productId } from "../../../../command/vocabulary/ids.ts"
import { propertyRuns } from "../../../support/properties.ts"
import { fiveOff, noRules, parcel, tenPercent } from "../../pricing/given/examples.ts"
import { aCustomerId, anOrderId, known } from "../given/examples.ts"

const product = fc.constantFrom("keyboard", "lamp", "kettle", "retired", "unicorn")
const requestedItem = fc.record({
  productId: product.map((id) => productId.parse(id)),
  quantity: fc.integer({ min: 1, max: 100_000 }),
})
const line = fc.integer({ min: 1, max: 8 })
const nextCommand: fc.Arbitrary<OrderCommand> = fc.oneof(
  { weight: 4, arbitrary: requestedItem.map((item) => ({ type: "AddItem" as const, item })) },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant("ChangeItem" as const),
      line,
      quantity: fc.integer({ min: 1, max: 9 }),
    }),
  },
  { weight: 3, arbitrary: line.map((removed) => ({ type: "RemoveItem" as const, line: removed })) },
  {
    weight: 2,
    arbitrary: fc.record(
      {
        type: fc.constant("UpdateOrder" as const),
        fields: fc.subarray(["note" as const]),
        country: fc.constantFrom("DE", null),
        discountCodes: fc.subarray(["TEN"]),
      },
      { requiredKeys: ["type", "fields"] },
    ),
  },
  { weight: 1, arbitrary: fc.constant({ type: "ConfirmOrder" as const }) },
  { weight: 1, arbitrary: fc.constant({ type: "CancelOrder" as const, reason: "no longer wanted" }) },
)
const firstCommand: fc.Arbitrary<OrderCommand> = fc.array(requestedItem, { maxLength: 3 }).map((items) => ({
  type: "CreateOrder",
  orderId: anOrderId,
  customerId: aCustomerId,
  currency: "USD",
  country: null,
  discountCodes: [],
  items,
  fields: [],
}))

/** Prices rise with every step, so that every change of a draft prices all of its lines again. */
const knownAt = (step: number): Known => ({
  ...known,
  productOf: (id) => {
    const product = known.productOf(id)
    const { amountMinor, currency } = product?.price ?? { amountMinor: 0n, currency: "" }
    return product && { ...product, price: { amountMinor: amountMinor + BigInt(step), currency } }
  },
  priceRules: {
    ...noRules,
    discounts: [{ ...tenPercent, code: "TEN" }, fiveOff],
    shippingRules: [parcel, { ...parcel, id: "van", maximumWeightGrams: null }],
    isShippingCharged: true,
  },
})

test("folding the stored events of any history gives the order at every version", () => {
  fc.assert(
    fc.property(firstCommand, fc.array(nextCommand, { maxLength: 40 }), (first, following) => {
      let order: Order | undefined
      let folded: Order | undefined
      const linesGiven: number[] = []
      for (const [step, command] of [first, ...following].entries()) {
        const decision = decide(order, command, knownAt(step))
        if (!decision.ok) continue
        const event = decision.value
        order = evolve(order, event)
        const row = toStoredEvent(event)
        const read = { ...row, payload: JSON.parse(JSON.stringify(row.payload)) }
        folded = evolve(folded, fromStoredEvent(anOrderId, read))
        expect(folded).toEqual(order)
        if (event.type === "OrderCreated") linesGiven.push(...event.items.map((item) => item.line))
        if (event.type === "ItemAdded") linesGiven.push(event.item.line)
      }
      expect(new Set(linesGiven).size).toBe(linesGiven.length)
    }),
    propertyRuns("any history", 300),
  )
})
