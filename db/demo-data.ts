// A small catalogue and a few customers to try the system with; the documents' examples name the first product and
// the first customer. Loading the data twice is safe: existing rows stay as they are.
import { sql } from "kysely"
import { createDatabase, createPool } from "./connect.ts"

const customers = [
  ["customer-123", "ada@example.com", "Ada Example"],
  ["customer-124", "grace@example.com", "Grace Example"],
  ["customer-125", "edsger@example.com", "Edsger Example"],
] as const

const products = [
  ["product-456", "Mechanical keyboard", 2999n, "USD", 900],
  ["product-457", "Desk lamp", 4950n, "USD", 1400],
  ["product-458", "Notebook", 450n, "USD", 300],
  ["product-459", "Kettle", 3990n, "EUR", 1100],
] as const

/** Loads the demo catalogue and customers into the write side's database. */
export async function loadDemoData(adminUrl: string): Promise<void> {
  const db = createDatabase<unknown>(
    createPool({ url: adminUrl, applicationName: "demo-data", maxConnections: 1 }),
  )
  try {
    await db.transaction().execute(async (trx) => {
      for (const [id, email, name] of customers) {
        await sql`insert into customers (id, email, name) values (${id}, ${email}, ${name})
          on conflict do nothing`.execute(trx)
      }
      for (const [id, name, priceMinor, currency, weightGrams] of products) {
        await sql`insert into products (id, name, price_minor, currency, weight_grams)
          values (${id}, ${name}, ${priceMinor}, ${currency}, ${weightGrams}) on conflict do nothing`.execute(
          trx,
        )
        await sql`insert into inventory (product_id, on_hand) values (${id}, 100000)
          on conflict do nothing`.execute(trx)
      }
    })
  } finally {
    await db.destroy()
  }
}
