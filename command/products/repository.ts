// Reads the catalogue's prices and locks no row: a price that changes a moment later counts from the next command on.
import type { Kysely } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"
import type { Product } from "./product.ts"

/** The named products that exist, by id. Runs one statement, or no statement if no product is named. */
export async function loadProducts(
  db: Kysely<CommandDatabase>,
  productIds: readonly string[],
): Promise<Map<string, Product>> {
  if (productIds.length === 0) return new Map()
  const rows = await db
    .selectFrom("products")
    .select(["id", "price_minor", "currency", "active", "weight_grams"])
    .where("id", "in", productIds)
    .execute()
  return new Map(
    rows.map(({ id, price_minor, currency, active, weight_grams }) => [
      id,
      { price: { amountMinor: price_minor, currency }, active, weightGrams: weight_grams },
    ]),
  )
}
