// A page of orders, newest first; the order list and a customer's history share this file. Pages are cut by the key
// (created_at, id) of the last order shown and not by counting, so an order that is added or changed meanwhile neither
// repeats nor hides an order that was there all along. Example: page 1 ends with the order of 10:05; an order added at
// 10:09 moves no order from page 1 to page 2.
import { z } from "@hono/zod-openapi"
import { momentText, moneyBody, moneyJson } from "./money.ts"

export const orderLine = z
  .object({
    id: z.string(),
    customer_id: z.string(),
    status: z.string(),
    version: z.number().int(),
    items: z.number().int().openapi({ description: "Sum of the quantities." }),
    total: moneyBody,
    country: z.string().nullable(),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .openapi("OrderLine")

export const pageLimit = z
  .string()
  .regex(/^[1-9]\d{0,2}$/, "must be a whole number from 1 to 100")
  .transform(Number)
  .refine((limit) => limit <= 100, "must be a whole number from 1 to 100")
  .default(20)
  .openapi({ type: "integer", minimum: 1, maximum: 100, default: 20 })

type Cursor = { createdAt: string; id: string }

const cursorText = z.tuple([z.iso.datetime({ precision: 6 }), z.string().min(1).max(255)])

/** The key of a page's last order, as the page's next link carries it. Clients pass the cursor on unread. */
export const pageCursor = z
  .string()
  .max(1_000)
  .transform((text, context): Cursor => {
    const cursor = cursorText.safeParse(parseJson(Buffer.from(text, "base64url").toString()))
    if (cursor.success && !cursor.data[1].includes("\0"))
      return { createdAt: cursor.data[0], id: cursor.data[1] }
    context.addIssue({ code: "custom", message: "is not a cursor of this API" })
    return z.NEVER
  })
  .optional()
  .openapi({ type: "string", description: "From the `next` link of the page before." })

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Conditions with their values; the placeholders are numbered in the order of adding. */
export type Filter = { conditions: string[]; parameters: unknown[]; names: string[] }

export const createFilter = (): Filter => ({ conditions: [], parameters: [], names: [] })

/** Adds `condition(placeholder)` if there is a value. The name tells prepared statements apart. */
export function where(
  filter: Filter,
  name: string,
  value: unknown,
  condition: (placeholder: string) => string,
): void {
  if (value === undefined) return
  filter.names.push(name)
  filter.conditions.push(condition(`$${filter.parameters.push(value)}`))
}

export function whereAfter(filter: Filter, cursor: Cursor | undefined): void {
  if (!cursor) return
  filter.names.push("cursor")
  const createdAt = filter.parameters.push(cursor.createdAt)
  const id = filter.parameters.push(cursor.id)
  filter.conditions.push(`(o.created_at, o.id) < ($${createdAt}::timestamptz, $${id}::text)`)
}

/** SQL texts of a page: the `with` clause they need, the JSON array, and the cursor (null on the last page). */
export type OrderPage = { with: string; orders: string; cursor: string }

/** The limit is the parameter after the filter's parameters. */
export function orderPage(schema: string, { conditions, parameters }: Filter): OrderPage {
  const limit = `$${parameters.length + 1}::integer`
  return {
    with: `with page as materialized (
      select o.*, row_number() over (order by o.created_at desc, o.id desc) as n from (
        select o.* from ${schema}.orders o
        where ${["not o.deleted", ...conditions].join(" and ")}
        order by o.created_at desc, o.id desc
        limit ${limit} + 1
      ) o
    )`,
    orders: `array_to_json(array(
      select row_to_json(line) from (
        select page.id, page.customer_id, page.status, page.version,
          (select coalesce(sum(i.quantity), 0) from ${schema}.order_items i
           where i.order_id = page.id and not i.deleted) as items,
          ${moneyJson("page.total_minor", "page.currency")} as total, page.country,
          ${momentText("page.created_at")} as created_at, ${momentText("page.updated_at")} as updated_at
        from page where page.n <= ${limit} order by page.n
      ) line
    ))`,
    cursor: `(
      select translate(
        encode(convert_to(to_json(array[${momentText("page.created_at")}, page.id])::text, 'UTF8'), 'base64'),
        E'+/=\\n', '-_')
      from page
      where page.n = ${limit} and exists (select from page beyond where beyond.n > ${limit}))`,
  }
}

/** SQL text of the number of orders that fulfil the conditions. */
export const orderTotal = (schema: string, conditions: readonly string[]): string =>
  `(select count(*) from ${schema}.orders o where ${["not o.deleted", ...conditions].join(" and ")})`

/** The path and query of the next page: the same filters with another cursor. */
export function nextPageOf(url: string): (cursor: string) => string {
  return (cursor) => {
    const next = new URL(url)
    next.searchParams.set("cursor", cursor)
    return `${next.pathname}${next.search}`
  }
}
