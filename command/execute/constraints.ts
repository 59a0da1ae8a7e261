// Rules that the database keeps for the commands: the violation of a constraint stands for a rejection.
import { constraintOf } from "../../db/errors.ts"
import { type Refused, refuse } from "../vocabulary/rejection.ts"

const rejectionsByConstraint: Record<string, () => Refused> = {
  orders_customer_id_fkey: () => refuse("customer-unknown", "There is no such customer."),
  order_items_product_id_fkey: () => refuse("product-unknown", "The catalogue has no such product."),
  products_pkey: () => refuse("product-exists", "Another product has this id."),
  inventory_product_id_fkey: () => refuse("product-not-found", "There is no such product."),
  discounts_customer_id_fkey: () => refuse("customer-unknown", "There is no such customer."),
  discounts_product_id_fkey: () => refuse("product-unknown", "The catalogue has no such product."),
  discounts_code_key: () => refuse("discount-code-taken", "Another discount has this code."),
  tax_rates_pkey: () => refuse("tax-rate-exists", "The country has a tax rate. PATCH changes it."),
  customers_email: () => refuse("email-taken", "Another customer has this e-mail address."),
  order_events_pkey: () =>
    refuse("version-conflict", "Another command was faster. Look at the order again, then repeat."),
}

/** The rejection that a violated constraint stands for. */
export function rejectionOf(error: unknown): Refused | undefined {
  return rejectionsByConstraint[constraintOf(error) ?? ""]?.()
}
