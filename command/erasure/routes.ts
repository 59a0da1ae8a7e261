// Erasing a customer over HTTP. The answer is the evidence of the write side: the columns that were cleared, the rows
// that stay and why, and the command that gives the evidence of the read side. The answer names no personal data, so
// that it can be kept and sent again.
import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi"
import type { Executor } from "../execute/execute.ts"
import { originOf } from "../execute/origin.ts"
import { changeHeaders } from "../http/command-headers.ts"
import { noBody } from "../http/json-body.ts"
import { answersOf, done, respond } from "../http/respond.ts"
import { customerId } from "../vocabulary/ids.ts"
import { accept } from "../vocabulary/rejection.ts"
import { type Erased, eraseCustomer } from "./erase.ts"

export type ErasureRouteDeps = { executor: Executor; now: () => Date }

const erasureBody = z
  .object({
    customer_id: z.string(),
    erased_at: z.iso.datetime(),
    version: z.number().int(),
    orders_touched: z.number().int().openapi({
      description:
        "Orders that held personal data; each has a PersonalDataErased event and its next version.",
    }),
    cleared: z.record(z.string(), z.number().int()).openapi({
      description: "Rows that held a value, by table and column; of idempotency_keys, whole answers.",
      example: { "orders.note": 2, "order_events.reason": 1, idempotency_keys: 4 },
    }),
    kept: z.array(z.string()),
    read_side: z
      .string()
      .openapi({ description: "How to get the evidence of the read side and the topics." }),
  })
  .openapi("ErasureReport")

const kept = [
  "customers: id, version and times; orders name the row",
  "orders: lines, prices, sums, country, statuses and times",
  "payments: amounts, statuses and the provider's reference",
  "order_events: types, amounts and times; payloads hold no personal data",
]

const deleteCustomer = createRoute({
  method: "delete",
  path: "/customers/{id}",
  summary: "Erase a customer's personal data; orders and sums stay",
  middleware: [noBody],
  request: {
    headers: changeHeaders,
    params: z.object({ id: customerId.openapi({ param: { name: "id", in: "path" } }) }),
  },
  responses: answersOf(200, erasureBody, [
    "customer-not-found",
    "customer-has-open-orders",
    "version-mismatch",
  ]),
})

export function createErasureRoutes({ executor, now }: ErasureRouteDeps): OpenAPIHono {
  const routes = new OpenAPIHono()
  routes.openapi(deleteCustomer, (c) => {
    const { id } = c.req.valid("param")
    const ifMatch = c.req.valid("header")["if-match"]
    const origin = originOf(c.get("requestId"), c.req.header("traceparent"))
    return respond(c, executor, async (trx) => {
      const result = await eraseCustomer(trx, id, ifMatch, { now: now(), origin })
      return result.ok ? accept(done(result.value.xid, 200, toReport(result.value))) : result
    })
  })
  return routes
}

const toReport = ({ id, erasedAt, version, ordersTouched, cleared }: Erased) => ({
  customer_id: id,
  erased_at: erasedAt.toISOString(),
  version,
  orders_touched: ordersTouched,
  cleared,
  kept,
  read_side: `npx lockstep erasure report ${id} --json`,
})
