// Sales per day, week or month (UTC) and currency, summed from the quarter-hour buckets. Currencies are never
// mixed: one row per period and currency. Every currency that occurs in the range has a row for every period of
// it, also where nothing was sold, so that rows can be drawn as they come.
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi"
import { answersOf, currencyCode, demandHeaders, moment } from "../http/parameters.ts"
import type { Reads } from "../http/reads.ts"
import { type Period, periods, rangeOf } from "./analytics-range.ts"
import { momentText, moneyBody, moneyJson } from "./money.ts"

const averageRule = "net / orders, rounded half up to the minor unit"

const analyticsBody = z
  .object({
    period: z.enum(["daily", "weekly", "monthly"]),
    time_zone: z.literal("UTC"),
    week_starts_on: z.literal("monday"),
    average_is: z.literal(averageRule),
    from: z.string(),
    to: z.string().openapi({ description: "Exclusive." }),
    rows: z.array(
      z.object({
        period: z.string().openapi({ example: "2025-11", description: "2025-11-23, 2025-W47 or 2025-11." }),
        start: z
          .string()
          .openapi({ description: "Of what the row counts: `from` may cut the first period." }),
        end: z.string().openapi({ description: "Exclusive; `to` may cut the last period." }),
        currency: z.string(),
        orders: z.number().int().openapi({ description: "Created in this time and not cancelled." }),
        items: z.number().int().openapi({ description: "Sum of their quantities." }),
        gross: moneyBody.openapi({ description: "Before discounts, without shipping and tax." }),
        discount: moneyBody,
        net: moneyBody.openapi({ description: "gross - discount" }),
        cancelled: z.number().int().openapi({ description: "Created in this time and cancelled since." }),
        average: moneyBody.nullable().openapi({ description: `${averageRule}; null without orders.` }),
      }),
    ),
  })
  .openapi("OrderAnalytics")

// Whole numbers all the way: numeric `/` rounds to some digits, `div` is exact. For a negative dividend it
// truncates upwards, which the remainder's sign corrects.
const averageMinor = `div(2 * net + orders, 2 * orders) - (mod(2 * net + orders, 2 * orders) < 0)::integer`

/** Parameters: from, to, and the currency or null. */
const analyticsText =
  (period: Period) =>
  (schema: string): string => {
    const { unit, label } = periods[period]
    return `
  with sold as (
    select date_trunc('${unit}', bucket, 'UTC') as start, currency, sum(orders) as orders, sum(items) as items,
      sum(gross_minor) as gross, sum(discount_minor) as discount, sum(gross_minor) - sum(discount_minor) as net,
      sum(cancelled) as cancelled
    from ${schema}.sales_by_quarter_hour
    where bucket >= $1::timestamptz and bucket < $2::timestamptz
      and ($3::text is null or currency = $3::text)
    group by 1, 2
  ),
  counted as (
    select start, currencies.currency, coalesce(orders, 0) as orders, coalesce(items, 0) as items,
      coalesce(gross, 0) as gross, coalesce(discount, 0) as discount, coalesce(net, 0) as net,
      coalesce(cancelled, 0) as cancelled
    from generate_series(
      date_trunc('${unit}', $1::timestamptz, 'UTC'), $2::timestamptz - interval '1 microsecond',
      interval '1 ${unit}', 'UTC') start
    cross join (select currency from sold union select $3::text where $3::text is not null) currencies
    left join sold using (start, currency)
  )
  select row_to_json(answer)::text as body, null::integer as version, null::text as cursor
  from (
    select '${period}' as period, 'UTC' as time_zone, 'monday' as week_starts_on, '${averageRule}' as average_is,
      ${momentText("$1::timestamptz")} as "from", ${momentText("$2::timestamptz")} as "to",
      array_to_json(array(
        select row_to_json(line) from (
          select to_char(start at time zone 'UTC', '${label}') as period,
            ${momentText("greatest(start, $1::timestamptz)")} as start,
            ${momentText(`least(date_add(start, interval '1 ${unit}', 'UTC'), $2::timestamptz)`)} as "end",
            currency, orders, items,
            ${moneyJson("gross", "currency")} as gross,
            ${moneyJson("discount", "currency")} as discount,
            ${moneyJson("net", "currency")} as net,
            cancelled,
            case when orders > 0 then ${moneyJson(`(${averageMinor})`, "currency")} end as average
          from counted order by counted.start, currency
        ) line
      )) as rows
  ) answer`
  }

const getAnalytics = createRoute({
  method: "get",
  path: "/analytics/orders",
  summary: "Sales per period and currency",
  request: {
    query: z.strictObject({
      period: z.enum(["daily", "weekly", "monthly"]).default("monthly"),
      from: moment
        .optional()
        .openapi({ description: "On a quarter of an hour. Default: 30 days, 12 weeks or 12 months." }),
      to: moment.optional().openapi({ description: "Exclusive. Default: the end of the present period." }),
      currency: currencyCode.optional(),
    }),
    headers: demandHeaders,
  },
  responses: answersOf(analyticsBody),
})

export function addAnalyticsRoute(app: OpenAPIHono, reads: Reads, now: () => number): void {
  app.openapi(getAnalytics, (c) => {
    const { period, currency, ...asked } = c.req.valid("query")
    const { from, to } = rangeOf(period, asked, new Date(now()))
    return reads.answer(
      c,
      {
        name: `analytics ${period}`,
        text: analyticsText(period),
        parameters: [from.toISOString(), to.toISOString(), currency ?? null],
      },
      {},
    )
  })
}
