// The history of an order: one event per accepted command, in the order of versions.
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi"
import { answersOf, demandHeaders, idParams, noQuery } from "../http/parameters.ts"
import type { Reads } from "../http/reads.ts"
import { lacksOfHistory } from "./lacks.ts"
import { momentText } from "./money.ts"

const historyBody = z
  .object({
    order_id: z.string(),
    events: z.array(
      z.object({
        version: z.number().int(),
        type: z.string().openapi({ example: "OrderCreated" }),
        payload: z.record(z.string(), z.unknown()),
        actor: z.string().nullable(),
        reason: z.string().nullable(),
        request_id: z.string().nullable(),
        occurred_at: z.string(),
      }),
    ),
  })
  .openapi("OrderHistory")

const historyText = (schema: string): string => `
  select (select row_to_json(answer)::text from (select o.id as order_id, ${eventsJson(schema)} as events) answer)
    as body, null::integer as version, null::text as cursor
  from ${schema}.orders o
  where o.id = $1 and not o.deleted`

const eventsJson = (schema: string): string => `array_to_json(array(
  select row_to_json(event) from (
    select e.version, e.type, e.payload, e.actor, e.reason, e.request_id,
      ${momentText("e.occurred_at")} as occurred_at
    from ${schema}.order_events e
    where e.order_id = o.id and not e.deleted
    order by e.version
  ) event
))`

const getHistory = createRoute({
  method: "get",
  path: "/orders/{id}/history",
  summary: "The history of an order, by version",
  request: { params: idParams, query: noQuery, headers: demandHeaders },
  responses: answersOf(historyBody, ["order-not-found"]),
})

export function addHistoryRoute(app: OpenAPIHono, reads: Reads): void {
  app.openapi(getHistory, (c) => {
    const { id } = c.req.valid("param")
    return reads.answer(
      c,
      { name: "order history", text: historyText, parameters: [id], lacks: lacksOfHistory },
      { missing: "order-not-found" },
    )
  })
}
