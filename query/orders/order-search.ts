// The filters of orders: the parameters, and the SQL conditions that the parameters become.
import { z } from "@hono/zod-openapi"
import { currencyCode, idText, moment } from "../http/parameters.ts"
import { ReadProblem } from "../http/problem.ts"
import { decimalAmount, toMinor } from "./money.ts"
import { orderStatuses } from "./order-body.ts"
import { createFilter, type Filter, where } from "./order-page.ts"
import { hasWords, searchText } from "./words.ts"

const statusList = z
  .string()
  .transform((text) => text.split(","))
  .pipe(z.array(z.enum(orderStatuses)).max(orderStatuses.length))
  .openapi({ type: "string", example: "paid,shipped", description: "One status, or several with commas." })

export const countryCode = z.string().regex(/^[A-Z]{2}$/, "must be an ISO 3166 code such as DE")

export const orderFilterParameters = {
  customer_id: idText.optional(),
  status: statusList.optional(),
  q: searchText.optional().openapi({ description: "Words, or beginnings of words, that the note has." }),
  currency: currencyCode.optional(),
  amount_min: decimalAmount.optional().openapi({ description: "Least total, inclusive; needs `currency`." }),
  amount_max: decimalAmount
    .optional()
    .openapi({ description: "Highest total, inclusive; needs `currency`." }),
  country: countryCode.optional().openapi({ description: "Country that the order goes to." }),
  from: moment.optional().openapi({ description: "Orders created at or after this moment." }),
  to: moment.optional().openapi({ description: "Orders created before this moment." }),
}

type Asked = {
  [name in keyof typeof orderFilterParameters]?: z.output<(typeof orderFilterParameters)[name]>
}

/** Whether a request has the usual filters only: these make few statement texts, and each text has an index. */
export const isUsual = ({ customer_id: _c, status, from: _f, to: _t, ...more }: Asked): boolean =>
  (status?.length ?? 0) <= 1 && Object.values(more).every((value) => value === undefined)

/** @throws ReadProblem when an amount has no currency or cannot be an amount of its currency. */
export function orderFilter(asked: Asked): Filter {
  const { status = [], currency } = asked
  const filter = createFilter()
  where(filter, "customer", asked.customer_id, (value) => `o.customer_id = ${value}::text`)
  if (status.length === 1) where(filter, "status", status[0], (value) => `o.status = ${value}::text`)
  else if (status.length > 1) where(filter, "statuses", status, (value) => `o.status = any(${value}::text[])`)
  where(filter, "words", asked.q, (value) => hasWords("o.note", value))
  where(filter, "currency", currency, (value) => `o.currency = ${value}::text`)
  const least = amountOf("amount_min", asked.amount_min, currency)
  const most = amountOf("amount_max", asked.amount_max, currency)
  where(filter, "least", least, (value) => `o.total_minor >= ${value}::bigint`)
  where(filter, "most", most, (value) => `o.total_minor <= ${value}::bigint`)
  where(filter, "country", asked.country, (value) => `o.country = ${value}::text`)
  where(filter, "from", asked.from, (value) => `o.created_at >= ${value}::timestamptz`)
  where(filter, "to", asked.to, (value) => `o.created_at < ${value}::timestamptz`)
  return filter
}

const largestMinor = 9_223_372_036_854_775_807n

function amountOf(
  parameter: string,
  amount: string | undefined,
  currency: string | undefined,
): bigint | undefined {
  if (amount === undefined) return undefined
  if (currency === undefined) throw refuse(parameter, "needs `currency`")
  const minor = toMinor(amount, currency)
  if (minor === null) throw refuse(parameter, `has more fraction digits than ${currency}`)
  if (minor > largestMinor) throw refuse(parameter, "is more than the largest total of an order")
  return minor
}

const refuse = (parameter: string, detail: string): ReadProblem =>
  new ReadProblem("invalid-request", "An amount is not acceptable.", { errors: [{ parameter, detail }] })
