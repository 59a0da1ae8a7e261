// What the projector says it does: the holder of the lease is heard, and nobody writes over him.
import type { Kysely } from "kysely"
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { createDatabase, createPool } from "../../../../db/connect.ts"
import type { QueryDatabase } from "../../../../db/query-schema.ts"
import {
  confirmProjectorStatus,
  type ProjectorStatus,
  readProjectorState,
  writeProjectorStatus,
} from "../../../../query/cdc/projector/status.ts"
import { createQueryDatabase, type TestDatabase } from "../../../support/databases.ts"

let database: TestDatabase
let db: Kysely<QueryDatabase>

beforeAll(async () => {
  database = await createQueryDatabase("status")
  db = createDatabase<QueryDatabase>(
    createPool({ url: database.urlAs("projector"), applicationName: "test", maxConnections: 2 }),
  )
})
beforeEach(async () => {
  await db.deleteFrom("cdc.leases").execute()
  await db.deleteFrom("cdc.projector_status").execute()
})
afterAll(async () => {
  await db?.destroy()
  await database?.drop()
})

const hold = (holder: string, forMs: number) =>
  db
    .insertInto("cdc.leases")
    .values({ source: "orders", holder, lease_epoch: 1n, expires_at: new Date(Date.now() + forMs) })
    .execute()
const report = (holder: string, state: ProjectorStatus["state"], reason: string | null = null) =>
  writeProjectorStatus(db, "orders", holder, { state, reason, nextStep: null, detail: {} })
const stored = () =>
  db
    .selectFrom("cdc.projector_status")
    .select(["holder", "state", "reason", "since", "updated_at"])
    .executeTakeFirstOrThrow()

test("a former holder, halted or not, does not write over the holder", async () => {
  await hold("b", 60_000)
  await report("b", "following")
  await report("a", "halted", "the chain is broken")
  await report("a", "following")
  expect(await stored()).toMatchObject({ holder: "b", state: "following", reason: null })
})

test("who has halted is heard once nobody holds the lease", async () => {
  await report("b", "following")
  await hold("b", -1)
  await report("a", "halted", "the chain is broken")
  expect(await stored()).toMatchObject({ holder: "a", state: "halted", reason: "the chain is broken" })
  expect(await readProjectorState(db, "orders")).toBe("halted")
})

test("since when tells when the state began; confirming makes it no older, and only of one's own", async () => {
  await report("a", "halted", "first")
  const first = await stored()
  await report("a", "halted", "second")
  expect((await stored()).since).toEqual(first.since)
  const second = await stored()
  await confirmProjectorStatus(db, "orders", "b")
  expect(await stored()).toEqual(second)
  await confirmProjectorStatus(db, "orders", "a")
  expect((await stored()).updated_at.getTime()).toBeGreaterThanOrEqual(second.updated_at.getTime())
  expect(await stored()).toMatchObject({ state: "halted", reason: "second" })
})

test("of a source that nobody has projected nothing is known", async () => {
  expect(await readProjectorState(db, "stock")).toBeNull()
})
