// Every change of a draft looks for the discounts that it may have. A shop with one for every customer must not read them
// all each time.
import { CompiledQuery, type RootOperationNode, sql } from "kysely"
import { beforeAll, expect, test } from "vitest"
import { type BasketOutline, loadPriceRules } from "../../../command/pricing/repository.ts"
import { customerId, productId } from "../../../command/vocabulary/ids.ts"
import { givenService } from "../given/running-service.ts"

const service = givenService()

beforeAll(async () => {
  await sql`
    insert into customers (id, email, name)
    select 'many-' || n, n || '@example.com', 'n' from generate_series(1, 20000) n`.execute(service.db)
  await sql`
    insert into products (id, name, price_minor, currency)
    select 'thing-' || n, 'n', 100, 'USD' from generate_series(1, 5000) n`.execute(service.db)
  // One for each customer, for each product, for some customers' first product, by code, and for everybody.
  await sql`
    insert into discounts (id, customer_id, product_id, code, kind, percent_basis_points, active)
    select 'own-' || n, 'many-' || n, null, null, 'percent', 1, true from generate_series(1, 20000) n
    union all select 'of-' || n, null, 'thing-' || n, null, 'percent', 1, true from generate_series(1, 5000) n
    union all select 'both-' || n, 'many-' || n, 'thing-1', null, 'percent', 1, true from generate_series(1, 9) n
    union all select 'code-' || n, null, null, 'CODE-' || n, 'percent', 1, true from generate_series(1, 5000) n
    union all select 'ended-' || n, null, null, null, 'percent', 1, false from generate_series(1, 5000) n
    union all select 'all-' || n, null, null, null, 'percent', 1, true from generate_series(1, 2) n`.execute(
    service.db,
  )
  await sql`analyze discounts`.execute(service.db)
})

const everybody = ["all-1", "all-2"]
const me = customerId.parse("many-7")
const things = ["thing-1", "thing-2"].map((id) => productId.parse(id))

test.each<[string, Partial<BasketOutline>, string[]]>([
  ["of nobody, with nothing", {}, everybody],
  ["of a customer", { customerId: me }, [...everybody, "own-7"]],
  ["with products", { productIds: things }, [...everybody, "of-1", "of-2"]],
  [
    "of a customer, with products and codes",
    { customerId: me, productIds: things, codes: ["CODE-9", "NONE"] },
    [...everybody, "both-7", "code-9", "of-1", "of-2", "own-7"],
  ],
])("for a basket %s exactly those that may apply are read, by indexes", async (_, outline, expected) => {
  const asked: RootOperationNode[] = []
  const db = service.db.withPlugin({
    transformQuery: ({ node }) => {
      asked.push(node)
      return node
    },
    transformResult: ({ result }) => Promise.resolve(result),
  })
  const basket = { customerId: undefined, currency: "USD", country: null, codes: [], productIds: [] }
  const { discounts } = await loadPriceRules(db, { ...basket, ...outline }, new Date(), "settling")
  expect(discounts.map(({ id }) => id).sort()).toEqual(expected)

  expect(asked).toHaveLength(2)
  for (const node of asked) {
    const compiled = service.db.getExecutor().compileQuery(node, { queryId: "explained" })
    const { rows } = await service.db.executeQuery(
      CompiledQuery.raw(`explain (format json) ${compiled.sql}`, [...compiled.parameters]),
    )
    const plan = JSON.stringify(rows)
    expect(plan).toContain("discounts_automatic")
    expect(plan).not.toContain("Seq Scan")
  }
})
