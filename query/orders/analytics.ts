// Sales per day, week or month and currency, by the clock of a time zone, from the quarter-hour buckets. Currencies are
// never mixed: an answer has one row per period, currency and (with `group_by`) member. A currency or member that occurs
// in the range has a row for every period of the range, also without sales, so that a client can draw the rows as they
// come.

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi"
import { sqlStateOf } from "../../db/errors.ts"
import { answersOf, currencyCode, demandHeaders, moment } from "../http/parameters.ts"
import { ReadProblem } from "../http/problem.ts"
import type { Reads } from "../http/reads.ts"
import { type Period, periods, rangeOf, startOf } from "./analytics-range.ts"
import { analyticsText, averageRule, groupings } from "./analytics-sql.ts"
import { moneyBody, moneyOrNull } from "./money.ts"
import { pageLimit } from "./order-page.ts"
import { timeZone } from "./time-zone.ts"

const orderOnly = "null per product: an order has this amount, a product has not"
const figures = {
  orders: z.number().int().openapi({ description: "Orders created in this time and not cancelled." }),
  items: z.number().int().openapi({ description: "Sum of the quantities of these orders." }),
  gross: moneyBody.openapi({ description: "Amount before discounts, without shipping and tax." }),
  discount: moneyOrNull.openapi({ description: orderOnly }),
  net: moneyOrNull.openapi({ description: `gross - discount; ${orderOnly}` }),
  cancelled: z.number().int().openapi({ description: "Orders created in this time and cancelled since." }),
  average: moneyOrNull.openapi({ description: `${averageRule}; null without orders.` }),
  captured: moneyOrNull.openapi({
    description: "Amount paid for the orders created in this time, cancelled orders too.",
  }),
  refunded: moneyOrNull.openapi({ description: "Part of `captured` that was given back." }),
  cancellation_rate: z
    .string()
    .nullable()
    .openapi({ example: "0.0525", description: "cancelled / (orders + cancelled)" }),
  refund_rate: z
    .string()
    .nullable()
    .openapi({ example: "0.0100", description: "Share of the paid orders that have a refund." }),
}

const member = z.string().nullable().optional()

export const analyticsBody = z
  .object({
    period: z.enum(["daily", "weekly", "monthly"]),
    time_zone: z.string(),
    week_starts_on: z.literal("monday"),
    average_is: z.literal(averageRule),
    group_by: z.enum(groupings).optional(),
    from: z.string(),
    to: z.string().openapi({ description: "Exclusive." }),
    rows: z.array(
      z.object({
        period: z.string().openapi({ example: "2025-11", description: "2025-11-23, 2025-W47 or 2025-11." }),
        start: z.string().openapi({
          description: "Start of the time that the row counts; `from` may cut the first period.",
        }),
        end: z
          .string()
          .openapi({ description: "End of that time, exclusive; `to` may cut the last period." }),
        currency: z.string(),
        status: member,
        product: member,
        customer: member,
        country: member.openapi({ description: "Null: the order was collected." }),
        ...figures,
        previous: z
          .object(figures)
          .optional()
          .openapi({ description: "With `compare=previous`: the figures of the whole period before." }),
      }),
    ),
  })
  .openapi("OrderAnalytics")

/** The parameters of all analytics per period. */
export const periodParameters = {
  period: z.enum(["daily", "weekly", "monthly"]).default("monthly"),
  from: moment.optional().openapi({
    description: "Start, on a quarter of an hour. Default range: 30 days, 12 weeks or 12 months.",
  }),
  to: moment.optional().openapi({ description: "End, exclusive. Default: the end of the present period." }),
  currency: currencyCode.optional(),
  time_zone: timeZone,
  compare: z
    .enum(["previous"])
    .optional()
    .openapi({ description: "Adds the whole period before to each period." }),
}

const getAnalytics = createRoute({
  method: "get",
  path: "/analytics/orders",
  summary: "Sales per period and currency",
  request: {
    query: z.strictObject({
      ...periodParameters,
      group_by: z.enum(groupings).optional(),
      limit: pageLimit.openapi({
        description: "With `group_by`: the most members per currency; members with most sales come first.",
      }),
    }),
    headers: demandHeaders,
  },
  responses: answersOf(analyticsBody),
})

const mostGroupedRows = 20_000

export function addAnalyticsRoute(app: OpenAPIHono, reads: Reads, now: () => number): void {
  app.openapi(getAnalytics, (c) => {
    const { period, currency, time_zone, compare, group_by, limit, ...asked } = c.req.valid("query")
    const range = rangeOf(period, time_zone, asked, new Date(now()))
    if (group_by) assertFew(period, range, limit)
    return inTimeZone(
      reads.answer(
        c,
        {
          // The parameters decide how much of the models the statement reads, and so the best plan: no plan is kept.
          name: null,
          text: analyticsText(period, group_by ?? null, compare !== undefined),
          parameters: [
            ...periodValues(period, time_zone, range, currency, compare),
            ...(group_by ? [limit, null] : []),
          ],
        },
        {},
      ),
    )
  })
}

/** The first parameters of `analyticsText`. */
export function periodValues(
  period: Period,
  zone: string,
  { from, to }: { from: Date; to: Date },
  currency: string | undefined,
  compare: "previous" | undefined,
): unknown[] {
  const countedFrom = compare ? startOf(period, zone, from, -1) : from
  return [from.toISOString(), to.toISOString(), currency ?? null, zone, countedFrom.toISOString()]
}

/** Refuses a zone that this process knows and the database, which has a list of its own, does not know. */
export async function inTimeZone(answer: Promise<Response>): Promise<Response> {
  try {
    return await answer
  } catch (error) {
    const isUnknown =
      sqlStateOf(error) === "22023" && error instanceof Error && /time zone/.test(error.message)
    if (!isUnknown) throw error
    throw new ReadProblem("invalid-request", "The query database does not know the time zone.", {
      errors: [{ parameter: "time_zone", detail: "is not known to the query database" }],
    })
  }
}

function assertFew(period: Period, { from, to }: { from: Date; to: Date }, limit: number): void {
  if (((to.getTime() - from.getTime()) / periods[period].shortestMs) * limit <= mostGroupedRows) return
  throw new ReadProblem("invalid-request", "The answer would be too long.", {
    errors: [
      { parameter: "limit", detail: `times the periods of the range is more than ${mostGroupedRows}` },
    ],
  })
}
