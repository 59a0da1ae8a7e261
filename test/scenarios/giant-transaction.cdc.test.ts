// SCENARIOS row 31: one transaction of a million rows. It does not fit into the projector's memory, and still nobody
// ever sees part of it; what commits behind it waits, says for what, and becomes visible in its order afterwards.
import { execFileSync } from "node:child_process"
import { setTimeout as sleep } from "node:timers/promises"
import { beforeAll, expect, test } from "vitest"
import { z } from "zod"
import { createMirrorViews, findDigestDifferences, findUnacknowledged } from "../chaos/given/invariants.ts"
import { createClient } from "../support/client.ts"
import { givenSystem } from "../support/system.ts"
import { waitFor } from "../support/wait.ts"

const orders = 1_000
const giantLines = Number(process.env.GIANT_LINES ?? 1_000)
const mostMib = 512

const system = givenSystem("giant")

beforeAll(async () => {
  await createMirrorViews(system.source)
})

/** Every order gets its first line, then every order its second: each part of it touches all of them. */
const giant = (name: string, lines: number): string => `
  begin;
  insert into orders (id, customer_id, status, currency, version)
    select '${name}-' || o, 'customer-125', 'draft', 'USD', 1 from generate_series(1, ${orders}) o;
  insert into order_items (order_id, line, product_id, quantity, unit_price_minor)
    select '${name}-' || o, l, 'product-456', 1, 2999
    from generate_series(1, ${lines}) l, generate_series(1, ${orders}) o order by l, o;
  update orders set subtotal_minor = ${lines}::bigint * 2999, total_minor = ${lines}::bigint * 2999 where id like '${name}-%';
  insert into order_events (order_id, version, type) select '${name}-' || o, 1, 'OrderCreated' from generate_series(1, ${orders}) o;
  commit`

/** What one snapshot of the read side holds of it: a sample of its items, its totals, its sums. */
const seen = (schema: string) => `
  select (select count(*) from ${schema}.orders where id like 'giant-%' and total_minor = ${giantLines}::bigint * 2999)::int as orders,
    (select count(*) from ${schema}.order_items i join generate_series(1, ${orders}, 10) o on i.order_id = 'giant-' || o
     where i.line = 1 + o % ${giantLines})::int as items,
    (select coalesce(sum(orders), 0) from ${schema}.customer_totals where customer_id = 'customer-125')::int as counted,
    (select coalesce(array_agg(id), '{}') from ${schema}.orders where id = any($1)) as small`

const seenShape = z.object({
  orders: z.number(),
  items: z.number(),
  counted: z.number(),
  small: z.array(z.string()),
})
/** While the query database is too busy to answer in time, readiness says only this. */
const readyShape = z.looseObject({
  checks: z.looseObject({ projector: z.looseObject({ reason: z.string().optional() }).optional() }),
})

/** Resident memory of a process. */
const residentMib = (pid: number): number =>
  Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" })) / 1024

/** What readiness says of the projector; undefined while it simply follows. */
async function reasonToWait(): Promise<string | undefined> {
  const ready = await fetch(`${system.query.url()}/readyz`)
  return readyShape.parse(await ready.json()).checks.projector?.reason
}

test("is applied whole, in bounded memory, and is seen to be waited for", async () => {
  const client = createClient(system.commandUrl, system.query.url)
  const schema = await system.liveSchema()
  const pid = system.query.pid() ?? 0
  const placed: string[] = []
  const acknowledged = new Map<string, number>()
  const reasons: string[] = []
  const snapshots = new Set<string>()
  let highestMib = residentMib(pid)
  console.log(`resident before: ${Math.round(highestMib)} MiB`)
  let running = true

  async function shop(): Promise<void> {
    while (running) {
      const id = (await client.placeOrder()).replace("/orders/", "")
      placed.push(id)
      acknowledged.set(id, 1)
      // Five orders a second, all the while.
      await sleep(200)
    }
  }

  async function look(): Promise<void> {
    const known = [...placed]
    const { rows } = await system.reads.query(seen(schema), [known])
    const { orders: whole, items, counted, small } = seenShape.parse(rows[0])
    snapshots.add(JSON.stringify({ whole, items, counted }))
    // Commands of one client, one after the other: what is visible of them is a prefix.
    expect(new Set(small)).toEqual(new Set(known.slice(0, small.length)))
    highestMib = Math.max(highestMib, residentMib(pid))
    const reason = await reasonToWait()
    if (reason !== undefined && reason !== reasons.at(-1)) reasons.push(reason)
  }

  async function keepLooking(): Promise<void> {
    while (running) {
      await look()
      // A look is dear, and what it looks at takes minutes.
      await sleep(250)
    }
  }

  const loops = Promise.all([shop(), keepLooking()])
  try {
    const startedAt = Date.now()
    await system.source.query(giant("giant", giantLines))
    console.log(`committed after ${Date.now() - startedAt} ms`)
    await system.caughtUp(900_000)
    console.log(`visible after ${Date.now() - startedAt} ms`)
  } finally {
    running = false
    await loops
  }
  await system.caughtUp()
  await look()
  const [first, last] = [reasons[0], reasons.at(-1)]
  console.log({ highestMib: Math.round(highestMib), placed: placed.length, first, last })

  const nothing = { whole: 0, items: 0, counted: 0 }
  const everything = { whole: orders, items: orders / 10, counted: orders }
  expect([...snapshots].map((text) => JSON.parse(text))).toEqual([nothing, everything])
  expect(reasons).toContainEqual(expect.stringMatching(/^reading transaction \d+: [\d,]+ .*staged/))
  expect(reasons).toContainEqual(expect.stringMatching(/^applying transaction \d+: [\d,]+ of [\d,]+ rows$/))
  expect(highestMib).toBeLessThan(mostMib)
  expect(await findDigestDifferences(system.source, system.reads, schema)).toEqual([])
  expect(await findUnacknowledged(system.reads, schema, acknowledged)).toEqual([])
})

test("is read again and applied whole when the projector is killed while it stages and while it applies", async () => {
  const started = system.query.logs.length
  await system.source.query(giant("killed", 60))
  for (const doing of ["reading", "applying"]) {
    await waitFor(async () => (await reasonToWait())?.startsWith(doing) ?? false, `it is ${doing}`, 300_000)
    await system.query.kill()
    await system.query.start()
  }
  await system.caughtUp(300_000)
  const schema = await system.liveSchema()
  expect(await findDigestDifferences(system.source, system.reads, schema)).toEqual([])
  const logged = system.query.logs.slice(started).map(({ msg }) => msg)
  expect(logged.filter((msg) => msg === "the staged transaction is applied")).toHaveLength(1)
})
