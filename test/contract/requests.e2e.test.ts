// Generated requests, thousands of them, well-formed and not, against both running services: nothing may answer 5xx,
// with a status, problem type, header or body that /openapi.json does not name, or take what it says is not allowed.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { z } from "zod"
import { givenClient } from "../support/client.ts"
import { givenSystem } from "../support/system.ts"
import { installSchemathesis, type Pools, type Replayed, replayGenerated } from "./given/schemathesis.ts"

const seed = 20_251_123
const directory = mkdtempSync(join(tmpdir(), "lockstep-contract-"))
const system = givenSystem("contract")
const client = givenClient(system)
let pools: Pools

beforeAll(async () => {
  await installSchemathesis()
  pools = await createThings()
})

afterAll(async () => {
  rmSync(directory, { recursive: true, force: true })
})

/** Ids of things that exist, enough of them for commands that use them up. */
async function createThings(): Promise<Pools> {
  const ids = await Promise.all(
    Array.from({ length: 80 }, async () => (await client.placeOrder()).split("/")[2] ?? ""),
  )
  for (const [index, id] of ids.slice(60).entries()) {
    await client.command("POST", `/orders/${id}/confirm`)
    if (index % 2 === 0) await client.command("POST", `/orders/${id}/payments`, { capture: index % 4 === 0 })
    if (index % 4 === 0) await client.command("POST", `/orders/${id}/shipments`, { carrier: "DHL" })
  }
  const customers = await Promise.all(
    Array.from({ length: 20 }, async (_, n) => {
      const { body } = await client.command("POST", "/customers", {
        email: `c${n}@example.com`,
        name: `Customer ${n}`,
      })
      return z.string().parse(body.id)
    }),
  )
  // Reads go through the last command's token: everything before it is there then.
  await client.read(`/orders/${ids[0]}`)
  return {
    // Commands that end a draft have drafts of their own to end.
    drafts: ids.slice(0, 20),
    confirmable: ids.slice(20, 60),
    orders: ids.slice(60),
    // Has open orders, so that no request can erase it.
    buyers: ["customer-123"],
    customers: ["customer-123", ...customers],
    products: ["product-456", "product-457", "product-458"],
    lines: ["1"],
    currencies: ["USD", "EUR", "JPY"],
    amounts: ["20", "1.50"],
    versions: ["*", '"1"'],
  }
}

/** Operations whose rules were never asked: each request was malformed, or about a thing that does not exist. */
function neverReached(statuses: Replayed["statuses"], declared: readonly string[]): string[] {
  const isReached = (status: number): boolean => status < 400 || status === 409 || status === 412
  return declared.filter((operation) => ![...(statuses.get(operation)?.keys() ?? [])].some(isReached))
}

async function operationsOf(url: string, without: RegExp): Promise<string[]> {
  const document = z
    .object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) })
    .parse(await (await fetch(`${url}/openapi.json`)).json())
  return Object.entries(document.paths)
    .filter(([path]) => !without.test(path))
    .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`))
}

const change = (pool: string) => ({ ...ids(pool), "header.if-match": "versions" })
const ids = (pool: string) => ({ "path.id": pool })

describe("every answer is documented", () => {
  test("of the command service", async () => {
    console.info(`generated requests: seed ${seed}`)
    const replayed = await replayGenerated({
      url: system.commandUrl,
      seed,
      examples: 20,
      directory: join(directory, "command"),
      pools,
      bindings: [
        { paths: "^/orders/\\{id\\}/items/", parameters: { ...change("drafts"), "path.line": "lines" } },
        {
          paths: "^/orders/\\{id\\}/items$",
          parameters: { ...change("drafts"), "body.product_id": "products" },
        },
        { paths: "^/orders/\\{id\\}/confirm$", parameters: change("confirmable") },
        {
          paths: "^/orders/\\{id\\}(?!/items|/confirm)",
          parameters: { ...change("orders"), "path.payment": "lines", "path.shipment": "lines" },
        },
        {
          paths: "^/orders$",
          parameters: { "body.customer_id": "buyers", "body.items[*].product_id": "products" },
        },
        { paths: "^/customers/", parameters: change("customers") },
        { paths: "^/products$", parameters: { "body.currency": "currencies", "body.price": "amounts" } },
        { paths: "^/products/\\{id\\}$", parameters: { ...change("products"), "body.price": "amounts" } },
        { paths: "^/products/\\{id\\}/", parameters: change("products") },
      ],
      limitMs: 480_000,
    })
    expect(replayed.failures).toBe("")
    expect(neverReached(replayed.statuses, await operationsOf(system.commandUrl, /^$/))).toEqual([])
  })

  test("of the query service", async () => {
    // A source's own paths are the same routes once more.
    const without = "^/sources/"
    const replayed = await replayGenerated({
      url: system.query.url(),
      seed,
      examples: 20,
      directory: join(directory, "query"),
      pools,
      bindings: [
        { paths: "^/orders/", parameters: ids("orders") },
        { paths: "^/orders$", parameters: { "query.customer_id": "customers" } },
        { paths: "^/customers/", parameters: ids("customers") },
        { paths: "^/(products|inventory)/", parameters: { ...ids("products"), "path.product": "products" } },
      ],
      without,
      limitMs: 480_000,
    })
    expect(replayed.failures).toBe("")
    expect(neverReached(replayed.statuses, await operationsOf(system.query.url(), /^\/sources\//))).toEqual(
      [],
    )
  })
})
