import { sql } from "kysely"
import { describe, expect, test } from "vitest"
import { z } from "zod"
import { createPool } from "../../../db/connect.ts"
import { createQueryApp } from "../given/query-app.ts"
import { createReadModels, heartbeatAt } from "../given/read-models.ts"
import { givenReadSideForEachTest } from "../given/read-side.ts"

const { models, app } = givenReadSideForEachTest(() => createReadModels("readiness"))

const report = (state: string, reason: string | null = null) =>
  sql`insert into cdc.projector_status (source, holder, state, reason, next_step)
    values ('orders', 'test', ${state}, ${reason}, 'look there')
    on conflict (source) do update set state = ${state}, reason = ${reason}, updated_at = now()`.execute(
    models.db,
  )

const makeReady = async () => {
  await models.addGeneration(1)
  await sql`update cdc.sources set live_generation = 1`.execute(models.db)
  await report("following")
}

describe("readiness", () => {
  test("is red before anything is there, and says why", async () => {
    const response = await app.get("/readyz")
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({
      status: "not-ready",
      checks: {
        database: { state: "ok" },
        generation: { state: "failed" },
        projector: { state: "failed" },
        heartbeat: { state: "failed" },
        redis: { state: "degraded" },
      },
    })
  })

  test("stays green while changes are parked, and says how many", async () => {
    await makeReady()
    await sql`insert into cdc.dead_letters (source, generation, topic, partition, kafka_offset, record_headers,
        table_name, is_placed, code, message)
      values ('orders', 1, 't', 0, 1, '{}', 'orders', true, 'bad-row', 'refused')`.execute(models.db)
    const response = await app.get("/readyz")
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({
      checks: {
        dead_letters: {
          state: "degraded",
          reason: "1 row changes could not be applied and are parked.",
          next_step: expect.stringContaining("npx lockstep dlq list"),
        },
      },
    })
    await sql`delete from cdc.dead_letters`.execute(models.db)
  })

  test("stays green while events wait to be published, and says how many once they wait long", async () => {
    await makeReady()
    const wait = (seconds: number) =>
      sql`insert into cdc.outbox (source, aggregate, number, inferred, type, commit_lsn, written_at)
        values ('orders', 'o1', ${String(seconds)}, false, 'T', 1, now() - make_interval(secs => ${seconds}))`.execute(
        models.db,
      )
    const events = async () => {
      const response = await app.get("/readyz")
      expect(response.status).toBe(200)
      return z.looseObject({ checks: z.looseObject({ events: z.unknown() }) }).parse(await response.json())
        .checks.events
    }
    await wait(1)
    expect(await events()).toEqual({ state: "ok", detail: { waiting: 1 } })
    await wait(120)
    expect(await events()).toMatchObject({
      state: "degraded",
      reason: "2 domain events wait to be published, the oldest for 120 s.",
      detail: { waiting: 2 },
    })
    await sql`delete from cdc.outbox`.execute(models.db)
  })

  test("is green when a generation is live, the projector follows and the source's heart beats", async () => {
    await makeReady()
    const response = await app.get("/readyz")
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ status: "ready", checks: { redis: { state: "degraded" } } })
  })

  test.each(["starting", "waiting", "retrying", "halted"])(
    "is red while the projector is %s",
    async (state) => {
      await makeReady()
      await report(state, "for a reason")
      const response = await app.get("/readyz")
      expect(response.status).toBe(503)
      expect(await response.json()).toMatchObject({
        checks: { projector: { state: "failed", reason: "for a reason", next_step: "look there" } },
      })
    },
  )

  test("stays green while the read models are rebuilt beside those that serve", async () => {
    await makeReady()
    await report("loading")
    expect((await app.get("/readyz")).status).toBe(200)
  })

  test("is red when the projector has not reported for more than ten seconds", async () => {
    await makeReady()
    await sql`update cdc.projector_status set updated_at = now() - interval '11 seconds'`.execute(models.db)
    expect((await app.get("/readyz")).status).toBe(503)
  })

  test("is red when the last heartbeat is old, and takes a clock ahead as now", async () => {
    await makeReady()
    const late = createQueryApp(models, { now: () => heartbeatAt + 31_000 })
    expect((await late.get("/readyz")).status).toBe(503)
    await late.close()
    const early = createQueryApp(models, { now: () => heartbeatAt - 3_600_000 })
    expect((await early.get("/readyz")).status).toBe(200)
    await early.close()
  })

  test("is red when nothing has been applied for long, also if the source's clock is ahead", async () => {
    await makeReady()
    await sql`update cdc.progress set applied_at = now() - interval '31 seconds'`.execute(models.db)
    const early = createQueryApp(models, { now: () => heartbeatAt - 3_600_000 })
    const response = await early.get("/readyz")
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({
      checks: { heartbeat: { reason: expect.stringContaining("Nothing has been applied for 31 s") } },
    })
    await early.close()
  })

  test("is red when a check of the composition is", async () => {
    await makeReady()
    const other = createQueryApp(models, {
      readiness: async () => ({ kafka: { state: "failed", reason: "no broker" } }),
    })
    const response = await other.get("/readyz")
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({ checks: { kafka: { reason: "no broker" } } })
    await other.close()
  })

  test("is red without the database, while the process lives and reads get 503 without internals", async () => {
    const reader = createPool({ url: "postgres://reader@127.0.0.1:1/nowhere", applicationName: "test" })
    const lost = createQueryApp(models, { reader })
    expect((await lost.get("/livez")).status).toBe(200)
    const ready = await lost.get("/readyz")
    expect(ready.status).toBe(503)
    expect(await ready.json()).toMatchObject({ checks: { database: { state: "failed" } } })
    const read = await lost.get("/orders/order-1")
    expect(read.status).toBe(503)
    expect(read.headers.get("retry-after")).not.toBeNull()
    expect(await read.json()).toEqual({
      type: "urn:lockstep:problem:database-unavailable",
      title: "Database unavailable",
      status: 503,
      detail: "The query database does not answer. Try again shortly.",
      instance: "/orders/order-1",
    })
    await lost.close()
    await reader.end()
  })

  test("goes on after every connection of the database was cut", async () => {
    await makeReady()
    await app.get("/orders")
    await sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`.execute(models.db)
    for (let n = 0; n < 20; n++) expect((await app.get("/orders")).status).toBe(200)
  })
})
