// What operators ask for: one rebuild at a time, joined rather than doubled, and found again after its holder died.
import { type Kysely, sql } from "kysely"
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { createDatabase, createPool } from "../../../../db/connect.ts"
import type { QueryDatabase } from "../../../../db/query-schema.ts"
import {
  findOpenRequest,
  readRequest,
  requestRebuild,
  updateRequest,
} from "../../../../query/cdc/lease/requests.ts"
import { createQueryDatabase, type TestDatabase } from "../../../support/databases.ts"

let database: TestDatabase
let db: Kysely<QueryDatabase>
const lease = { source: "orders", leaseEpoch: 1n }

beforeAll(async () => {
  database = await createQueryDatabase("requests")
  db = createDatabase<QueryDatabase>(
    createPool({ url: database.urlAs("projector"), applicationName: "test", maxConnections: 8 }),
  )
})
beforeEach(async () => {
  await db.deleteFrom("cdc.requests").execute()
  await db.deleteFrom("cdc.leases").execute()
  const expires_at = new Date(Date.now() + 3_600_000)
  await db
    .insertInto("cdc.leases")
    .values({ source: "orders", holder: "test", lease_epoch: 1n, expires_at })
    .execute()
})
afterAll(async () => {
  await db?.destroy()
  await database?.drop()
})

const ask = (source = "orders") => requestRebuild(db, source, "operator")

test("a request is open until it is done, with its progress on the row", async () => {
  const { id, joined } = await ask()
  expect(joined).toBe(false)
  expect(await readRequest(db, id)).toEqual({ id, state: "pending", progress: {}, error: null })
  expect((await findOpenRequest(db, "orders"))?.id).toBe(id)
  await updateRequest(db, lease, id, {
    state: "running",
    progress: { step: "copying orders", rowsLoaded: 7 },
  })
  expect(await readRequest(db, id)).toMatchObject({
    state: "running",
    progress: { step: "copying orders", rowsLoaded: 7 },
  })
  await updateRequest(db, lease, id, { state: "done" })
  expect(await findOpenRequest(db, "orders")).toBeNull()
  expect(await readRequest(db, id)).toMatchObject({ state: "done", progress: { rowsLoaded: 7 } })
})

test("asking again joins the one that is open, also while it runs", async () => {
  const { id } = await ask()
  expect(await ask()).toEqual({ id, joined: true })
  await updateRequest(db, lease, id, { state: "running" })
  expect(await ask()).toEqual({ id, joined: true })
  await updateRequest(db, lease, id, { state: "failed", error: "the source is down" })
  expect(await readRequest(db, id)).toMatchObject({ state: "failed", error: "the source is down" })
  const next = await ask()
  expect(next.joined).toBe(false)
  expect(next.id).not.toBe(id)
})

test("asked by many at once it is one request", async () => {
  const together = <Result>(work: () => Promise<Result>) => Promise.all(Array.from({ length: 8 }, work))
  // With connections that are open already nobody waits for anybody; the statements last so that each has its own.
  await together(() => sql`select pg_sleep(0.05)`.execute(db))
  const asked = await together(() => ask())
  expect(new Set(asked.map(({ id }) => id)).size).toBe(1)
  expect(asked.filter(({ joined }) => !joined)).toHaveLength(1)
})

test("one that a dead holder was running is found again", async () => {
  const { id } = await ask()
  await updateRequest(db, lease, id, { state: "running" })
  expect((await findOpenRequest(db, "orders"))?.id).toBe(id)
})

test("who has lost the lease says nothing of a request that another one executes", async () => {
  const { id } = await ask()
  await updateRequest(db, lease, id, { state: "running" })
  await db.updateTable("cdc.leases").set({ holder: "another", lease_epoch: 2n }).execute()
  for (const state of ["failed", "done"] as const) {
    await expect(updateRequest(db, lease, id, { state })).rejects.toMatchObject({
      code: "apply-conflict",
      disposition: "retry",
    })
  }
  expect(await readRequest(db, id)).toMatchObject({ state: "running" })
})

test("another source's requests are its own", async () => {
  const { id } = await ask()
  const other = await ask("stock")
  expect(other).toMatchObject({ joined: false })
  expect((await findOpenRequest(db, "stock"))?.id).toBe(other.id)
  expect((await findOpenRequest(db, "orders"))?.id).toBe(id)
})

test("an unknown request is none", async () => {
  expect(await readRequest(db, 4711n)).toBeNull()
})
