// Cohorts: customers by the month of their first order that was not cancelled, and how many customers of a cohort ordered
// in each month since, by the clock of a time zone. Example: of 40 customers of January 10 ordered in March, a share of
// 0.2500.
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi"
import { answersOf, demandHeaders, moment } from "../http/parameters.ts"
import type { Reads } from "../http/reads.ts"
import { inTimeZone } from "./analytics.ts"
import { rangeOf } from "./analytics-range.ts"
import { rateText } from "./analytics-sql.ts"
import { momentText } from "./money.ts"
import { timeZone } from "./time-zone.ts"

const cohortsBody = z
  .object({
    time_zone: z.string(),
    from: z.string(),
    to: z.string().openapi({ description: "Exclusive, for first orders and for later orders." }),
    cohorts: z.array(
      z.object({
        month: z.string().openapi({ example: "2025-11", description: "Month of the first order." }),
        customers: z.number().int(),
        months: z.array(
          z.object({
            month: z.string(),
            customers: z
              .number()
              .int()
              .openapi({ description: "Customers of the cohort who ordered in this month." }),
            share: z.string().nullable().openapi({ example: "0.2500" }),
            orders: z.number().int(),
          }),
        ),
      }),
    ),
  })
  .openapi("Cohorts")

const monthOf = (moment: string): string => `date_trunc('month', ${moment} at time zone $3::text)`

/** Parameters: from, to, time zone. */
const cohortsText = (schema: string): string => `
  with members as materialized (
    select customer_id, ${monthOf("bucket")} as cohort from ${schema}.first_orders
    where bucket >= $1::timestamptz and bucket < $2::timestamptz
  ),
  sizes as (select cohort, count(*) as customers from members group by 1),
  active as (
    select cohort, ${monthOf("bucket")} as month, count(distinct customer_id) as customers, sum(orders) as orders
    from ${schema}.sales_by_customer join members using (customer_id)
    where bucket >= $1::timestamptz and bucket < $2::timestamptz and orders > 0
    group by 1, 2
  )
  select row_to_json(answer)::text as body, null::integer as version, null::text as cursor
  from (
    select $3::text as time_zone, ${momentText("$1::timestamptz")} as "from", ${momentText("$2::timestamptz")} as "to",
      array_to_json(array(
        select row_to_json(one) from (
          select to_char(s.cohort, 'YYYY-MM') as month, s.customers,
            array_to_json(array(
              select row_to_json(line) from (
                select to_char(a.month, 'YYYY-MM') as month, a.customers,
                  ${rateText("a.customers", "s.customers")} as share, a.orders
                from active a where a.cohort = s.cohort order by a.month
              ) line
            )) as months
          from sizes s order by s.cohort
        ) one
      )) as cohorts
  ) answer`

const getCohorts = createRoute({
  method: "get",
  path: "/analytics/cohorts",
  summary: "Customers by the month of their first order, and how many ordered in each month since",
  request: {
    query: z.strictObject({
      from: moment
        .optional()
        .openapi({ description: "Start, on a quarter of an hour. Default range: 12 months." }),
      to: moment
        .optional()
        .openapi({ description: "End, exclusive. Default: the end of the present month." }),
      time_zone: timeZone,
    }),
    headers: demandHeaders,
  },
  responses: answersOf(cohortsBody),
})

export function addCohortRoute(app: OpenAPIHono, reads: Reads, now: () => number): void {
  app.openapi(getCohorts, (c) => {
    const { time_zone, ...asked } = c.req.valid("query")
    const { from, to } = rangeOf("monthly", time_zone, asked, new Date(now()))
    const parameters = [from.toISOString(), to.toISOString(), time_zone]
    return inTimeZone(reads.answer(c, { name: null, text: cohortsText, parameters }, {}))
  })
}
