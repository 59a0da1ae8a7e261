// Loads the rules by which a basket is priced, in the command's transaction. Discounts that could not apply are not
// loaded: a shop may have a discount for every customer.
import { type Expression, type Kysely, type Selectable, type SqlBool, sql } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"
import type { CustomerId, ProductId } from "../vocabulary/ids.ts"
import type { Discount } from "./discount.ts"
import type { PriceRules } from "./price.ts"

/** The part of a basket by which its rules are found. */
export type BasketOutline = {
  customerId: CustomerId | undefined
  currency: string | undefined
  country: string | null
  codes: readonly string[]
  productIds: readonly ProductId[]
}

/**
 * The rules of this moment. `settling` takes the locks of discounts that may run out, in the order of their ids, so
 * that uses are counted one by one until the transaction ends.
 */
export async function loadPriceRules(
  db: Kysely<CommandDatabase>,
  outline: BasketOutline,
  now: Date,
  purpose: "looking" | "settling",
): Promise<PriceRules> {
  if (purpose === "settling") await lockLimitedDiscounts(db, outline, now)
  const discounts = await possibleDiscounts(db, outline, now).selectAll().execute()
  const charges = outline.country === null ? noCharges : await loadCharges(db, outline.country)
  return { now, discounts: discounts.map(toDiscount), ...charges }
}

/** Counts (`by` 1) or gives back (-1) one use of each of these discounts, in the order of their ids. */
export async function countUses(
  db: Kysely<CommandDatabase>,
  discountIds: readonly string[],
  by: 1 | -1,
): Promise<void> {
  if (discountIds.length === 0) return
  const locked = db
    .selectFrom("discounts")
    .select("id")
    .where("id", "in", discountIds)
    .orderBy("id")
    .forNoKeyUpdate()
  await db
    .with("locked", () => locked)
    .updateTable("discounts")
    .set({ times_used: sql<number>`greatest(times_used + ${by}, 0)` })
    .where("id", "in", (inner) => inner.selectFrom("locked").select("locked.id"))
    .execute()
}

/** A statement of its own: the next one sees the uses that were counted while this one waited. */
async function lockLimitedDiscounts(
  db: Kysely<CommandDatabase>,
  outline: BasketOutline,
  now: Date,
): Promise<void> {
  await possibleDiscounts(db, outline, now)
    .select("id")
    .where("usage_limit", "is not", null)
    .orderBy("id")
    .forNoKeyUpdate()
    .execute()
}

/**
 * Those named by code, whatever speaks against them, and the automatic ones that the basket may have. Whom and what an
 * automatic one is for is spelled out as pairs, each of which is a range of the index discounts_automatic.
 */
function possibleDiscounts(db: Kysely<CommandDatabase>, outline: BasketOutline, now: Date) {
  const { customerId, currency, codes, productIds } = outline
  return db.selectFrom("discounts").where((where) => {
    const isFor = (column: "customer_id" | "product_id" | "currency", values: readonly string[]) => [
      where(column, "is", null),
      ...(values.length > 0 ? [where(column, "in", values)] : []),
    ]
    const forProduct = isFor("product_id", productIds)
    const pairs = isFor("customer_id", customerId === undefined ? [] : [customerId]).flatMap((forCustomer) =>
      forProduct.map((product) => where.and([forCustomer, product])),
    )
    const automatic = where.and([
      where("code", "is", null),
      where("active", "=", sql.lit(true)),
      where("valid_from", "<=", now),
      where.or([where("valid_until", "is", null), where("valid_until", ">", now)]),
      where.or([where("usage_limit", "is", null), where("usage_limit", ">", where.ref("times_used"))]),
      where.or(pairs),
      where.or(isFor("currency", currency === undefined ? [] : [currency])),
    ])
    const named: Expression<SqlBool>[] = codes.length > 0 ? [where("code", "in", codes)] : []
    return where.or([...named, automatic])
  })
}

const noCharges = { shippingRules: [], isShippingCharged: false, taxRates: new Map<string, number>() }

async function loadCharges(
  db: Kysely<CommandDatabase>,
  country: string,
): Promise<Omit<PriceRules, "now" | "discounts">> {
  const rules = await db.selectFrom("shipping_rules").selectAll().where("country", "=", country).execute()
  const any = rules[0] ?? (await db.selectFrom("shipping_rules").select("id").limit(1).executeTakeFirst())
  const taxRates = await db.selectFrom("tax_rates").selectAll().where("country", "=", country).execute()
  return {
    shippingRules: rules.map((row) => ({
      id: row.id,
      country: row.country,
      currency: row.currency,
      maximumWeightGrams: row.maximum_weight_grams,
      priceMinor: row.price_minor,
      freeAboveMinor: row.free_above_minor,
    })),
    isShippingCharged: any !== undefined,
    taxRates: new Map(taxRates.map((row) => [row.country, row.basis_points])),
  }
}

function toDiscount(row: Selectable<CommandDatabase["discounts"]>): Discount {
  return {
    id: row.id,
    code: row.code,
    customerId: row.customer_id,
    productId: row.product_id,
    off:
      row.kind === "percent"
        ? { kind: row.kind, basisPoints: row.percent_basis_points ?? 0 }
        : { kind: row.kind, amountMinor: row.amount_minor ?? 0n },
    currency: row.currency,
    minimumOrderMinor: row.minimum_order_minor,
    usageLimit: row.usage_limit,
    timesUsed: row.times_used,
    stackable: row.stackable,
    active: row.active,
    validFrom: row.valid_from,
    validUntil: row.valid_until,
  }
}
