// Which parked changes an answer would show, as SQL conditions on `parked` (table_name, row_key). An answer that lacks
// some says how many (`Read-Incomplete`), so a condition may count one too many and must never count one too few.

import { tablesOfOrder } from "./cache-keys.ts"

const partsOfOrder = `(${tablesOfOrder.map((table) => `'${table}'`).join(", ")})`

/** The order in $1, with everything that belongs to it and its customer. */
export const lacksOfOrder = (schema: string): string => `
  parked.table_name in ${partsOfOrder} and parked.row_key[1] = $1
  or parked.table_name = 'customers'
    and parked.row_key[1] = (select o.customer_id from ${schema}.orders o where o.id = $1)`

/** The history of the order in $1. */
export const lacksOfHistory = (): string =>
  "parked.table_name in ('orders', 'order_events') and parked.row_key[1] = $1"

/** The product in $1 with its stock. */
export const lacksOfProduct = (): string =>
  "parked.table_name in ('products', 'inventory') and parked.row_key[1] = $1"

/** The stock of the product in $1. */
export const lacksOfStock = (): string => "parked.table_name = 'inventory' and parked.row_key[1] = $1"

/** Lists of stock, and of products with theirs. */
export const lacksOfStocks = (): string => "parked.table_name = 'inventory'"
export const lacksOfProducts = (): string => "parked.table_name in ('products', 'inventory')"

/** The customer in $1 with totals. An order that is not stored may be one of theirs. */
export const lacksOfCustomer = (schema: string): string => `
  parked.table_name = 'customers' and parked.row_key[1] = $1
  or parked.table_name in ('orders', 'order_items', 'payments') and not exists (
    select from ${schema}.orders o where o.id = parked.row_key[1] and o.customer_id <> $1)`
