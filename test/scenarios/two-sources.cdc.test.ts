// Two sources in one query database and one process: the same orders are written in both, at the same time, and each
// read model is its own source's prefix all the while. What happens to one is nothing to the other.
import type pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createPool } from "../../db/connect.ts"
import { createMirrorViews, findDifferences } from "../chaos/given/invariants.ts"
import { startWriters } from "../chaos/given/writers.ts"
import { readEndpoints } from "../stack/endpoints.ts"
import { type CapturedSource, createCapturedSource } from "../support/captured-source.ts"
import { createClient } from "../support/client.ts"
import { createQueryDatabase, type TestDatabase } from "../support/databases.ts"
import { chooseSeed, createRandom } from "../support/random.ts"
import { createReadSide, type ReadSide } from "../support/read-side.ts"
import { rebuildSource } from "../support/rebuild.ts"
import { createServiceProcess, type ServiceProcess } from "../support/service-process.ts"
import { waitFor } from "../support/wait.ts"

type Side = ReadSide & { captured: CapturedSource }

let database: TestDatabase
let reads: pg.Pool
let query: ServiceProcess
let east: Side
let west: Side

beforeAll(async () => {
  const { kafkaBrokers, registryUrl, connectUrl, redisUrl } = readEndpoints()
  database = await createQueryDatabase("two_sources")
  reads = createPool({ url: database.adminUrl, applicationName: "test" })
  const captured = [await createCapturedSource("east"), await createCapturedSource("west")]
  query = createServiceProcess("query", {
    PROJECTOR_DATABASE_URL: database.urlAs("projector"),
    READER_DATABASE_URL: database.urlAs("reader"),
    KAFKA_BROKERS: kafkaBrokers,
    SCHEMA_REGISTRY_URL: registryUrl,
    CONNECT_URL: connectUrl,
    REDIS_URL: redisUrl,
    SOURCES: JSON.stringify(
      captured.map(({ name, loaderUrl }) => ({
        name,
        databaseUrl: loaderUrl,
        connectorName: name,
        topicPrefix: name,
      })),
    ),
  })
  const sides = captured.map((one) => ({
    ...createReadSide({ name: one.name, source: one.pool, reads, logs: () => query.logs }),
    captured: one,
  }))
  const [first, second] = sides
  if (!first || !second) throw new Error("there are two sources")
  east = first
  west = second
  await query.start()
  for (const side of sides) {
    await createMirrorViews(side.captured.pool)
    await waitFor(async () => (await side.position()) > 0n, "both serve", 30_000)
  }
})

afterAll(async () => {
  await query?.kill()
  await reads?.end()
  await Promise.all([east?.captured.drop(), west?.captured.drop()])
  await database?.drop()
})

const get = async (path: string, headers: Record<string, string> = {}) => {
  const response = await fetch(`${query.url()}${path}`, { headers })
  const body: Record<string, unknown> = JSON.parse(await response.text())
  return { status: response.status, headers: response.headers, body }
}
const at = (side: Side, path: string): string => `/sources/${side.captured.name}${path}`
const differences = async (side: Side) => findDifferences(side.captured.pool, reads, await side.liveSchema())

async function writeOrder(side: Side, id: string, note: string): Promise<void> {
  const sql = `with written as (
      insert into orders (id, customer_id, status, currency, note, version)
      values ('${id}', 'customer-123', 'draft', 'USD', '${note}', 1)
      on conflict (id) do update set note = excluded.note, version = orders.version + 1 returning id, version)
    insert into order_events (order_id, version, type) select id, version, 'OrderUpdated' from written`
  await side.captured.pool.query(sql)
}

async function equal(side: Side): Promise<void> {
  await side.caughtUp()
  expect(await differences(side)).toEqual([])
}

describe("two sources with the same orders", () => {
  test("are projected each by itself: both read models equal their source", async () => {
    const seed = chooseSeed()
    console.log(`SEED=${seed}`)
    const writers = [east, west].map(({ captured }) =>
      startWriters(captured.pool, createRandom(seed).fork(captured.name), 2),
    )
    await waitFor(
      () => writers.every(({ totals }) => totals.transactions >= 50 && totals.changes >= 1_000),
      "both are written to",
      60_000,
    )
    for (const writer of writers) await writer.stop()
    await Promise.all([equal(east), equal(west)])
    const crossed = await findDifferences(east.captured.pool, reads, await west.liveSchema())
    expect(crossed.length, "the test would notice if they were mixed up").toBeGreaterThan(0)
    expect(await east.liveSchema()).not.toBe(await west.liveSchema())
  })

  test("are read under their names, the first at the root too, and their cached answers do not mix", async () => {
    await writeOrder(east, "same-id", "from the east")
    await writeOrder(west, "same-id", "from the west")
    await Promise.all([east.caughtUp(), west.caughtUp()])
    const notes = async () =>
      Promise.all(
        ["/orders/same-id", at(east, "/orders/same-id"), at(west, "/orders/same-id")].map(
          async (path) => (await get(path)).body.note,
        ),
      )
    expect(await notes()).toEqual(["from the east", "from the east", "from the west"])
    await waitFor(async () => {
      const answers = await Promise.all([east, west].map((side) => get(at(side, "/orders/same-id"))))
      return answers.every(({ headers }) => headers.get("cache-status") === "lockstep; hit")
    }, "both are answered from the cache")
    expect(await notes()).toEqual(["from the east", "from the east", "from the west"])
    await writeOrder(west, "same-id", "from the west, later")
    await west.caughtUp()
    expect(await notes()).toEqual(["from the east", "from the east", "from the west, later"])

    const page = await get(at(west, "/orders?limit=1"))
    expect(page.body.next).toMatch(new RegExp(`^${at(west, "/orders")}\\?`))
    expect((await get(String(page.body.next))).status).toBe(200)
    expect((await get("/sources")).body).toEqual({
      sources: [east, west].map((side) => ({ source: side.captured.name, path: at(side, "") })),
    })
  })

  test("take their own tokens, and refuse each other's by name", async () => {
    const client = createClient(west.captured.commandUrl, query.url)
    const order = await client.placeOrder()
    expect((await client.read(at(west, order))).status).toBe(200)
    const refused = await client.read(at(east, order))
    expect(refused).toMatchObject({
      status: 409,
      body: { type: "urn:lockstep:problem:token-of-another-epoch" },
    })
    expect(refused.text).toContain(east.captured.name)
  })

  test("are ready and have a status each", async () => {
    const { body } = await get("/status")
    expect(body.sources).toMatchObject(
      [east, west].map(({ captured }) => ({
        source: captured.name,
        lease: { held_here: true },
        projector: { state: "following" },
      })),
    )
    const ready = await get("/readyz")
    expect(ready.status).toBe(200)
    expect(Object.keys(Object(ready.body.checks))).toEqual(
      expect.arrayContaining(["database", `${east.captured.name}.projector`, `${west.captured.name}.kafka`]),
    )
    expect(await leases()).toMatchObject([{ lease_epoch: 1n }, { lease_epoch: 1n }])
  })
})

describe("what happens to one", () => {
  test("a rebuild leaves the other's generation and lease as they are", async () => {
    const before = {
      schema: await west.liveSchema(),
      schemaOfEast: await east.liveSchema(),
      leases: await leases(),
    }
    await rebuildSource(reads, east.captured.name)
    expect(await east.liveSchema()).not.toBe(before.schemaOfEast)
    expect(await west.liveSchema()).toBe(before.schema)
    expect(await leases()).toEqual(before.leases)
    await writeOrder(west, "meanwhile", "written after the rebuild")
    await Promise.all([equal(east), equal(west)])
  })

  test("a halt is named in readiness and leaves the other following, until a rebuild ends it", async () => {
    await east.captured.pool.query("truncate payments cascade")
    const name = east.captured.name
    await waitFor(async () => (await get(at(east, "/readyz"))).status === 503, "the first has halted", 30_000)
    await waitFor(async () => (await stateOf(name)) === "halted", "it says so")
    const ready = await get("/readyz")
    expect(ready.status).toBe(503)
    expect(ready.body.checks).toMatchObject({
      [`${name}.projector`]: { state: "failed", detail: { state: "halted", code: "truncate" } },
      [`${west.captured.name}.projector`]: { state: "ok" },
    })
    expect((await get(at(west, "/readyz"))).status).toBe(200)
    await writeOrder(west, "meanwhile", "written while the other has halted")
    await equal(west)
    expect(await stateOf(name)).toBe("halted")

    await rebuildSource(reads, east.captured.name)
    await Promise.all([equal(east), equal(west)])
    await waitFor(async () => (await get("/readyz")).status === 200, "both are ready")
  })
})

async function stateOf(source: string): Promise<unknown> {
  const { rows } = await reads.query("select state from cdc.projector_status where source = $1", [source])
  return rows[0]?.state
}

async function leases(): Promise<unknown[]> {
  return (await reads.query("select source, holder, lease_epoch from cdc.leases order by source")).rows
}
