// A connection on which nothing comes back is given up, by a limit for each statement or all of a pool at once.
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { sql } from "kysely"
import type pg from "pg"
import copyStreams from "pg-copy-streams"
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest"
import { type ConnectionOptions, createDatabase, createPool } from "../../db/connect.ts"
import { createSockets } from "../../db/half-open.ts"
import { createQueryDatabase, type TestDatabase } from "../support/databases.ts"
import { createRelay, type Relay } from "../support/relay.ts"

let database: TestDatabase
let relay: Relay
const pools: pg.Pool[] = []

beforeAll(async () => {
  database = await createQueryDatabase("half_open")
})

afterAll(() => database?.drop())

beforeEach(async () => {
  relay = await createRelay(database.adminUrl)
})

afterEach(async () => {
  await relay?.pass()
  await Promise.all(pools.splice(0).map((pool) => pool.end()))
  await relay?.close()
})

function poolThrough(options: Partial<ConnectionOptions>): pg.Pool {
  const pool = createPool({ url: relay.through(database.adminUrl), applicationName: "half-open", ...options })
  pools.push(pool)
  return pool
}

const limited = { answerLimitMs: 300, maxConnections: 2 }

async function msUntilFailed(work: Promise<unknown>): Promise<{ ms: number; error: unknown }> {
  const startedAt = performance.now()
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  return { ms: performance.now() - startedAt, error }
}

test("a statement without an answer fails in time, and the next one has a new connection", async () => {
  const pool = poolThrough(limited)
  await pool.query("select 1")
  relay.blackHole()
  const { ms, error } = await msUntilFailed(pool.query("select 2"))
  expect(error).toMatchObject({ code: "ETIMEDOUT" })
  expect(ms).toBeLessThan(1_000)
  await relay.pass()
  expect((await pool.query("select 3 as n")).rows).toEqual([{ n: 3 }])
})

test("an answer that stops in the middle is none", async () => {
  const pool = poolThrough(limited)
  const rows = pool.query("select n, repeat('x', 1000), pg_sleep(0.001) from generate_series(1, 3000) n")
  // The rows take three seconds to come, so some are on their way.
  const early = setTimeout(() => relay.blackHole(), 100)
  const { error } = await msUntilFailed(rows)
  clearTimeout(early)
  expect(error).toMatchObject({ code: "ETIMEDOUT" })
})

test("a transaction cut off inside fails once, rolls back, and does not hand its connection on", async () => {
  const pool = poolThrough({ ...limited, idleTransactionLimitMs: 500 })
  const db = createDatabase<Record<never, never>>(pool)
  await sql`create table cut (n integer primary key)`.execute(db)
  const { error } = await msUntilFailed(
    db.transaction().execute(async (trx) => {
      await sql`insert into cut values (1)`.execute(trx)
      relay.blackHole()
      await sql`insert into cut values (2)`.execute(trx)
    }),
  )
  expect(error).toMatchObject({ code: "ETIMEDOUT" })
  await relay.pass()
  // Waits for the lock of the cut transaction, which the server ends.
  await sql`insert into cut values (1)`.execute(db)
  expect((await sql`select n from cut`.execute(db)).rows).toEqual([{ n: 1 }])
})

test("a long statement with an answer is left alone where there is no limit", async () => {
  const pool = poolThrough({})
  expect((await pool.query("select pg_sleep(0.5)")).rowCount).toBe(1)
})

test("connections can be broken all at once: statements, COPY and what is idle", async () => {
  const sockets = createSockets()
  const pool = poolThrough({ maxConnections: 3, sockets })
  await pool.query("create table loaded (n integer)")
  const [copying, asleep, resting] = await Promise.all([pool.connect(), pool.connect(), pool.connect()])
  const copy = msUntilFailed(
    pipeline(Readable.from(endless()), copying.query(copyStreams.from("copy loaded from stdin"))),
  )
  const sleep = msUntilFailed(asleep.query("select pg_sleep(60)"))
  relay.blackHole()
  sockets.breakAll("test")
  for (const { error, ms } of await Promise.all([copy, sleep])) {
    expect(error).toBeInstanceOf(Error)
    expect(ms).toBeLessThan(1_000)
  }
  await expect(resting.query("select 1")).rejects.toThrow()
  for (const client of [copying, asleep, resting]) client.release()
  await relay.pass()
  expect((await pool.query("select count(*)::int as n from loaded")).rows).toEqual([{ n: 0 }])
})

function* endless(): Generator<string> {
  for (;;) yield "1\n".repeat(1_000)
}
