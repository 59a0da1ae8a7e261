import { sql } from "kysely"
import { describe, expect, test } from "vitest"
import { insertCustomer } from "../given/read-models.ts"
import { givenReadSide } from "../given/read-side.ts"

const { models, app } = givenReadSide("look_up", async ({ db }) => {
  for (const id of ["customer-1", "customer-2", "customer-3"]) await insertCustomer(db, id)
  await sql`update read_1.customers set email = 'Ada+Orders@Example.com' where id = 'customer-1'`.execute(db)
  await sql`update read_1.customers set email = 'gone@example.com', deleted = true where id = 'customer-2'`.execute(
    db,
  )
  await sql`update read_1.customers set email = 'customer-3@erased.invalid', erased_at = now()
    where id = 'customer-3'`.execute(db)
})

const find = (email: string) => app.get(`/customers?email=${encodeURIComponent(email)}`)

describe("looking up a customer by e-mail address", () => {
  test("ignores case and finds one or none", async () => {
    const found = await find("aDA+orders@EXAMPLE.com")
    expect(await found.json()).toMatchObject({
      customers: [{ id: "customer-1", email: "Ada+Orders@Example.com" }],
    })
    expect(found.headers.get("cache-status")).toBe("lockstep; fwd=bypass")
    for (const email of ["nobody@example.com", "gone@example.com", "customer-3@erased.invalid"]) {
      expect(await (await find(email)).json()).toEqual({ customers: [] })
    }
  })

  test.each([
    ["no address", "/customers"],
    ["no e-mail address", "/customers?email=ada"],
    ["a pattern", "/customers?email=%25@example.com&limit=1"],
    ["a NUL", "/customers?email=a%00@example.com"],
    ["another parameter", "/customers?email=ada@example.com&name=Ada"],
  ])("refuses %s with 400", async (_, path) => {
    expect((await app.get(path)).status).toBe(400)
  })

  test("goes by an index", async () => {
    const { rows } = await sql<{ plan: string }>`
      select indexdef as plan from pg_indexes where schemaname = 'read_1' and tablename = 'customers'`.execute(
      models.db,
    )
    expect(rows.map(({ plan }) => plan)).toContainEqual(expect.stringContaining("hash (lower(email))"))
  })
})
