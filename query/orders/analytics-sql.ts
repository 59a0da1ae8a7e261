// The statement behind analytics per period. It sums the quarter-hour buckets of a range by the clock of a time zone, per
// currency and maybe per member of a group. On request it sets the whole period before beside each period.
import { type Period, periods } from "./analytics-range.ts"
import { momentText, moneyJson } from "./money.ts"

export const averageRule = "net / orders, rounded half up to the minor unit"

export const groupings = ["status", "product", "customer", "country"] as const
export type Grouping = (typeof groupings)[number]

type Source = { table: string; member: string; isOfProducts: boolean }

function sourceOf(grouping: Grouping | null): Source {
  switch (grouping) {
    case null:
      return { table: "sales_by_quarter_hour", member: "''", isOfProducts: false }
    case "status":
      return { table: "sales_by_quarter_hour", member: "status", isOfProducts: false }
    case "country":
      return { table: "sales_by_quarter_hour", member: "country", isOfProducts: false }
    case "customer":
      return { table: "sales_by_customer", member: "customer_id", isOfProducts: false }
    case "product":
      return { table: "sales_by_product", member: "product_id", isOfProducts: true }
  }
}

// Whole numbers all the way: numeric `/` rounds to some digits, `div` is exact. For a negative dividend `div`
// truncates upwards; the remainder's sign corrects the result.
const averageMinor = `div(2 * net + orders, 2 * orders) - (mod(2 * net + orders, 2 * orders) < 0)::integer`

/** SQL text of a share as text with four digits, such as 0.2500; null when the whole is 0. */
export const rateText = (part: string, whole: string): string =>
  `case when ${whole} > 0 then round(${part}::numeric / ${whole}, 4)::text end`

/**
 * SQL text of the moment at which the clocks of a zone show a local time for the first time, or pass over it. A local
 * time can occur twice, as 02:30 does when clocks go back from 03:00 to 02:00; Postgres takes the second moment.
 */
export const firstMoment = (local: string, zone: string): string => `
  (select case when (m - interval '1 hour') at time zone ${zone} >= ${local} then m - interval '1 hour' else m end
   from (select ${local} at time zone ${zone}) moment (m))`

const sums = ["orders", "items", "gross", "cancelled"]
const orderSums = ["discount", "net", "captured", "refunded", "paid", "refunded_orders"]

const selectSums = (isOfProducts: boolean): string => `
  sum(orders) as orders, sum(items) as items, sum(gross_minor) as gross, sum(cancelled) as cancelled,
  ${
    isOfProducts
      ? orderSums.map((name) => `null::numeric as ${name}`).join(", ")
      : `sum(discount_minor) as discount, sum(gross_minor) - sum(discount_minor) as net,
         sum(captured_minor) as captured, sum(refunded_minor) as refunded, sum(paid) as paid,
         sum(refunded) as refunded_orders`
  }`

const amount = (name: string, minor = name): string =>
  `case when ${minor} is not null then ${moneyJson(minor, "currency")} end as ${name}`

const figures = `
  orders, items, ${amount("gross")}, ${amount("discount")}, ${amount("net")}, cancelled,
  case when orders > 0 and net is not null then ${moneyJson(`(${averageMinor})`, "currency")} end as average,
  ${amount("captured")}, ${amount("refunded")},
  ${rateText("cancelled", "(orders + cancelled)")} as cancellation_rate,
  ${rateText("refunded_orders", "paid")} as refund_rate`

const before = (name: string): string => `was_${name}`

const previousFigures = `
  (select row_to_json(previous) from (
    select ${figures} from (select counted.currency, ${[...sums, ...orderSums].map((name) => `counted.${before(name)} as ${name}`).join(", ")}) was
  ) previous) as previous`

/**
 * Parameters: from, to, currency or null, time zone, and the first moment counted, which a comparison puts before `from`.
 * A grouping takes two more: the most members per currency, and the only wanted member or null.
 */
export const analyticsText =
  (period: Period, grouping: Grouping | null, compares: boolean) =>
  (schema: string): string => {
    const { unit, label } = periods[period]
    const { table, member, isOfProducts } = sourceOf(grouping)
    const step = `interval '1 ${unit}'`
    const localOf = (moment: string) => `date_trunc('${unit}', ${moment} at time zone $4::text)`
    const filled = (of: string, name: string, as = name) =>
      isOfProducts && orderSums.includes(name)
        ? `null::numeric as ${as}`
        : `coalesce(${of}.${name}, 0) as ${as}`
    const all = [...sums, ...orderSums]
    const worth = isOfProducts ? "gross" : "net"
    return `
  with parts as (
    select ${localOf("bucket")} as local, bucket >= $1::timestamptz as is_in_range, currency,
      ${member}::text as member, ${selectSums(isOfProducts)}
    from ${schema}.${table}
    where bucket >= $5::timestamptz and bucket < $2::timestamptz
      and ($3::text is null or currency = $3::text)
      ${grouping ? `and ($7::text is null or ${member} = $7::text)` : ""}
    group by 1, 2, 3, 4
  ),
  sold as (select * from parts where is_in_range),
  members as (
    ${
      grouping
        ? `select currency, member from (
             select currency, member,
               row_number() over (
                 partition by currency
                 order by coalesce(sum(${worth}) filter (where is_in_range), 0) desc, ${compares ? `sum(${worth}) desc, ` : ""}member
               ) as place
             from ${compares ? "parts" : "sold"} group by 1, 2
           ) ranked where place <= $6::integer`
        : `select distinct currency, '' as member from ${compares ? "parts" : "sold"} union select $3::text, '' where $3::text is not null`
    }
  ),
  counted as (
    select local, ${firstMoment("local", "$4::text")} as start,
      ${firstMoment(`(local + ${step})`, "$4::text")} as "end", currency, member,
      ${all.map((name) => filled("sold", name)).join(", ")}
      ${compares ? `, ${all.map((name) => filled("whole", name, before(name))).join(", ")}` : ""}
    from generate_series(
      ${localOf("$1::timestamptz")}, ${localOf("($2::timestamptz - interval '1 microsecond')")}, ${step}
    ) local
    cross join members
    left join sold using (local, currency, member)
    ${
      compares
        ? `left join (
             select local + ${step} as local, currency, member,
               ${all.map((name) => `sum(${name}) as ${name}`).join(", ")}
             from parts join members using (currency, member) group by 1, 2, 3
           ) whole using (local, currency, member)`
        : ""
    }
  )
  select row_to_json(answer)::text as body, null::integer as version, null::text as cursor
  from (
    select '${period}' as period, $4::text as time_zone, 'monday' as week_starts_on,
      '${averageRule}' as average_is, ${grouping ? `'${grouping}' as group_by,` : ""}
      ${momentText("$1::timestamptz")} as "from", ${momentText("$2::timestamptz")} as "to",
      array_to_json(array(
        select row_to_json(line) from (
          select to_char(local, '${label}') as period,
            ${momentText("greatest(start, $1::timestamptz)")} as start,
            ${momentText(`least("end", $2::timestamptz)`)} as "end",
            currency, ${grouping ? `nullif(member, '') as "${grouping}",` : ""}
            ${figures} ${compares ? `, ${previousFigures}` : ""}
          from counted
          where start < "end"
          order by counted.start, currency, counted.${worth} desc, member
        ) line
      )) as rows
  ) answer`
  }
