// One projector writes: whoever holds the lease by the query database's clock. Whoever loses it, stopped or not,
// can write nothing more.
import type { Kysely } from "kysely"
import { sql } from "kysely"
import pg from "pg"
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest"
import { createDatabase, createPool } from "../../../../db/connect.ts"
import type { QueryDatabase } from "../../../../db/query-schema.ts"
import {
  acquireLease,
  type Lease,
  projectorConnectionName,
  releaseLease,
  renewLease,
  underLease,
} from "../../../../query/cdc/lease/lease.ts"
import { createQueryDatabase, type TestDatabase } from "../../../support/databases.ts"
import { waitFor } from "../../../support/wait.ts"

let database: TestDatabase
let admin: pg.Pool
const pools: Kysely<QueryDatabase>[] = []

beforeAll(async () => {
  database = await createQueryDatabase("lease")
  admin = new pg.Pool({ connectionString: database.adminUrl, max: 2 })
})
beforeEach(async () => {
  await admin.query("truncate cdc.leases, cdc.progress")
  await admin.query(
    "insert into cdc.progress (source, generation, lease_epoch, position, base_lsn, last_end, last_end_offset) values ('orders', 1, 0, 100, 0, 100, 0)",
  )
})
afterEach(async () => {
  for (const db of pools.splice(0)) await db.destroy()
})
afterAll(async () => {
  await admin?.end()
  await database?.drop()
})

/** A projector with connections of its own. */
function projector(holder: string) {
  const db = createDatabase<QueryDatabase>(
    createPool({
      url: database.urlAs("projector"),
      applicationName: projectorConnectionName(holder),
      maxConnections: 2,
    }),
  )
  pools.push(db)
  const acquire = (ttlMs = 60_000) => acquireLease(db, { source: "orders", holder, ttlMs })
  return { db, holder, acquire }
}

const expire = () => admin.query("update cdc.leases set expires_at = clock_timestamp() - interval '1 ms'")
/** How many statements in the database wait for a lock. */
async function waitingForLocks(): Promise<number> {
  const { rows } = await admin.query(
    "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
  )
  return rows.length
}

const progressEpoch = async () =>
  (await admin.query("select lease_epoch::int from cdc.progress")).rows[0]?.lease_epoch

test("one of many gets it, and the progress carries its epoch", async () => {
  const many = ["a", "b", "c", "d"].map(projector)
  const leases = await Promise.all(many.map(({ acquire }) => acquire()))
  const held = leases.filter((lease) => lease !== null)
  expect(held).toHaveLength(1)
  expect(held[0]).toMatchObject({ leaseEpoch: 1n })
  expect(await progressEpoch()).toBe(1)
})

test("nobody else gets it before it expires, however often it is asked for", async () => {
  const [a, b] = [projector("a"), projector("b")]
  await a.acquire()
  for (let attempt = 0; attempt < 3; attempt++) expect(await b.acquire()).toBeNull()
  await expire()
  expect(await b.acquire()).toEqual({ source: "orders", holder: "b", leaseEpoch: 2n, formerLeftMs: 0 })
  expect(await progressEpoch()).toBe(2)
})

test("renewing keeps it; after a takeover renewing says so and changes nothing", async () => {
  const [a, b] = [projector("a"), projector("b")]
  const lease = (await a.acquire(60_000)) ?? expect.unreachable()
  await expire()
  expect(await renewLease(a.db, lease, 60_000)).toBe(true)
  expect(await b.acquire()).toBeNull()
  await expire()
  await b.acquire()
  const before = await admin.query("select * from cdc.leases")
  expect(await renewLease(a.db, lease, 60_000)).toBe(false)
  expect((await admin.query("select * from cdc.leases")).rows).toEqual(before.rows)
})

test("released, it is free at once; released by a former holder, it stays where it is", async () => {
  const [a, b] = [projector("a"), projector("b")]
  const first = (await a.acquire()) ?? expect.unreachable()
  await releaseLease(a.db, first)
  const second = await b.acquire()
  expect(second).toMatchObject({ holder: "b" })
  await releaseLease(a.db, first)
  expect(await a.acquire()).toBeNull()
})

test("a holder that asks again gets a new epoch, so that what it began before cannot be stored", async () => {
  const a = projector("a")
  expect(await a.acquire()).toMatchObject({ leaseEpoch: 1n })
  expect(await a.acquire()).toMatchObject({ leaseEpoch: 2n })
  expect(await progressEpoch()).toBe(2)
})

test("a takeover ends the former holder's open transaction, which locks the progress", async () => {
  const [a, b] = [projector("a"), projector("b")]
  await a.acquire()
  let isOpen = false
  const zombie = a.db.transaction().execute(async (trx) => {
    await sql`update cdc.progress set position = 999`.execute(trx)
    isOpen = true
    await sql`select pg_sleep(60)`.execute(trx)
  })
  zombie.catch(() => {})
  await waitFor(() => isOpen, "the former holder has begun to apply")
  await expire()
  expect(await b.acquire()).toMatchObject({ holder: "b", leaseEpoch: 2n })
  await expect(zombie).rejects.toThrow()
  expect((await admin.query("select position::int from cdc.progress")).rows).toEqual([{ position: 100 }])
})

test("a takeover leaves other connections alone: those of readers, and of the new holder", async () => {
  const [a, b] = [projector("a"), projector("b")]
  await a.acquire()
  const gate = await admin.connect()
  await gate.query("select pg_advisory_lock(1)")
  const reading = b.db.transaction().execute(async (trx) => {
    await sql`select pg_advisory_xact_lock(1)`.execute(trx)
    return "done"
  })
  await waitFor(async () => (await waitingForLocks()) === 1, "the statement of the reader is under way")
  await expire()
  await b.acquire()
  await gate.query("select pg_advisory_unlock(1)")
  gate.release()
  expect(await reading).toBe("done")
})

test("a takeover is not held up by what the former holder has open under its lease", async () => {
  const [a, b] = [projector("a"), projector("b")]
  const former = (await a.acquire()) ?? expect.unreachable()
  let isOpen = false
  const stopped = underLease(a.db, former, async (trx) => {
    await sql`update cdc.progress set position = 999`.execute(trx)
    isOpen = true
    await sql`select pg_sleep(60)`.execute(trx)
  })
  stopped.catch(() => {})
  await waitFor(() => isOpen, "the former holder has begun to write")
  await expire()
  expect(await b.acquire()).toMatchObject({ holder: "b", leaseEpoch: 2n })
  await expect(stopped).rejects.toThrow()
  expect((await admin.query("select position::int from cdc.progress")).rows).toEqual([{ position: 100 }])
})

test("a takeover that cannot stamp the progress takes nothing, and the next attempt can", async () => {
  const [a, b] = [projector("a"), projector("b")]
  await a.acquire()
  await expire()
  const before = await admin.query("select * from cdc.leases")
  const stranger = await admin.connect()
  await stranger.query("begin; update cdc.progress set position = 100")
  expect(await b.acquire()).toBeNull()
  expect((await admin.query("select * from cdc.leases")).rows).toEqual(before.rows)
  expect(await progressEpoch()).toBe(1)
  await stranger.query("rollback")
  stranger.release()
  expect(await b.acquire()).toMatchObject({ leaseEpoch: 2n })
  expect(await progressEpoch()).toBe(2)
})

test("who succeeds a holder without connections learns for how long that one may take itself for it", async () => {
  const [a, b] = [projector("a"), projector("b")]
  await a.acquire(30_000)
  await a.db.destroy()
  pools.splice(pools.indexOf(a.db), 1)
  const taken: Lease[] = []
  await waitFor(async () => {
    const lease = await b.acquire()
    if (lease) taken.push(lease)
    return lease !== null
  }, "the other holds the lease")
  expect(taken).toMatchObject([{ holder: "b", leaseEpoch: 2n }])
  expect(taken[0]?.formerLeftMs).toBeGreaterThan(25_000)
  expect(taken[0]?.formerLeftMs).toBeLessThanOrEqual(30_000)
})

test("nothing is written under a lost lease, and nobody takes over while something is written under his", async () => {
  const [a, b] = [projector("a"), projector("b")]
  const former = (await a.acquire()) ?? expect.unreachable()
  await expire()
  const lease = (await b.acquire()) ?? expect.unreachable()
  await expect(underLease(a.db, former, async () => expect.unreachable())).rejects.toMatchObject({
    code: "apply-conflict",
    disposition: "retry",
  })

  const done: string[] = []
  await underLease(b.db, lease, async () => {
    const takeover = admin
      .query("begin; select from cdc.leases for update; commit")
      .then(() => done.push("locked"))
    expect(await renewLease(b.db, lease, 60_000), "renewing does not wait").toBe(true)
    await waitFor(async () => (await waitingForLocks()) === 1, "the takeover waits")
    done.push("committed")
    takeover.catch(() => {})
  })
  await waitFor(() => done.length === 2, "the lease is free again")
  expect(done).toEqual(["committed", "locked"])
})

test("sources have leases of their own", async () => {
  const a = projector("a")
  await a.acquire()
  const other = await acquireLease(projector("b").db, { source: "stock", holder: "b", ttlMs: 60_000 })
  expect(other).toEqual({ source: "stock", holder: "b", leaseEpoch: 1n, formerLeftMs: 0 })
})
