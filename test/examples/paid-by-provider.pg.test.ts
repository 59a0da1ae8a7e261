import { test } from "vitest"
import { defineProjections } from "../../query/cdc/projection/define-projections.ts"
import { orderProjections } from "../../query/orders/projections.ts"
import { deleted, inserted, updated } from "../support/projection-kit/given-changes.ts"
import { createProjectionKit } from "../support/projection-kit/kit.ts"
import { paidByProvider } from "./paid-by-provider.ts"

const { givenChanges } = createProjectionKit(
  defineProjections({ ...orderProjections, derived: [...orderProjections.derived, paidByProvider] }),
)
const payment = { order_id: "o1", payment: 1, provider: "stripe", currency: "USD" }

test("a payment counts for its provider from when it is captured until it is refunded", () =>
  givenChanges(
    inserted("payments", { ...payment, status: "authorized", amount_minor: 2999 }),
    [
      updated("payments", { ...payment, status: "captured" }),
      inserted("payments", { ...payment, payment: 2, status: "captured", amount_minor: 1 }),
    ],
    inserted("payments", {
      ...payment,
      order_id: "o2",
      provider: "adyen",
      status: "captured",
      amount_minor: 500,
    }),
    updated("payments", { order_id: "o1", payment: 2, status: "refunded" }),
    deleted("payments", { order_id: "o2", payment: 1 }),
  )
    .whenApplied()
    .thenRows({
      paid_by_provider: [{ provider: "stripe", currency: "USD", payments: 1, captured_minor: 2999 }],
    }))
