// `/status`: how the sources stand, in one look at the database, and in bounded time when there is none.
import { sql } from "kysely"
import { describe, expect, test } from "vitest"
import { z } from "zod"
import { createPool } from "../../../db/connect.ts"
import { createApp } from "../../../query/app.ts"
import { quiet } from "../../support/quiet-log.ts"
import { createQueryApp, type QueryApp } from "../given/query-app.ts"
import { createLiveReadModels, heartbeatAt } from "../given/read-models.ts"
import { givenReadSideForEachTest } from "../given/read-side.ts"
import { createLateDatabase, type LateDatabase } from "./given/late-database.ts"

const { models, app } = givenReadSideForEachTest(() => createLiveReadModels("status"))

const statusOf = async (asked: Pick<QueryApp, "get"> = app) => {
  const response = await asked.get("/status")
  expect(response.status).toBe(200)
  expect(response.headers.get("cache-control")).toBe("no-store")
  return await response.json()
}

describe("the status of a source", () => {
  test("tells lease, projector, generation, position and open requests", async () => {
    const startedAt = performance.now()
    await models.commit()
    await sql`insert into cdc.leases values ('orders', 'somebody', 7, clock_timestamp() + interval '9 s')`.execute(
      models.db,
    )
    await sql`insert into cdc.projector_status (source, holder, state, reason, next_step, detail)
      values ('orders', 'somebody', 'halted', 'the chain is broken', 'rebuild', '{"code": "broken-chain"}')`.execute(
      models.db,
    )
    await sql`insert into cdc.requests (source, kind) values ('orders', 'rebuild'), ('stock', 'rebuild')`.execute(
      models.db,
    )
    await sql`insert into cdc.requests (source, kind, state) values ('orders', 'rebuild', 'done')`.execute(
      models.db,
    )
    await sql`insert into cdc.dead_letters (source, generation, topic, partition, kafka_offset, record_headers,
        table_name, is_placed, code, message, state)
      select 'orders', 1, 't', 0, n, '{}', 'orders', true, 'bad-row', 'refused',
        case n when 1 then 'parked' else 'discarded' end
      from generate_series(1, 3) n`.execute(models.db)
    const status = await statusOf()
    // No more than what has passed since the rows were written, and the half second to which it may be rounded.
    const passed = (performance.now() - startedAt) / 1_000 + 0.5
    const ageSince = expect.schemaMatching(z.number().min(-0.5).max(passed))
    expect(status).toEqual({
      role: "all",
      sources: [
        {
          source: "orders",
          epoch: 1,
          history: "7123456789012345678-1",
          lease: {
            holder: "somebody",
            lease_epoch: 7,
            seconds_left: expect.schemaMatching(
              z
                .number()
                .min(9 - passed)
                .max(9),
            ),
            held_here: false,
          },
          projector: {
            state: "halted",
            reason: "the chain is broken",
            next_step: "rebuild",
            since: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
            reported_seconds_ago: ageSince,
            detail: { code: "broken-chain" },
          },
          generation: 1,
          projection_version: expect.any(String),
          position: "0/3F2",
          base: "0/0",
          heartbeat_age_seconds: 3,
          applied_age_seconds: ageSince,
          requests: [
            {
              id: "1",
              kind: "rebuild",
              state: "pending",
              requested_at: expect.any(String),
              started_at: null,
            },
          ],
          dead_letters: { parked: 1, oldest_parked_at: expect.stringMatching(/Z$/) },
          events: { waiting: 0, oldest_waiting_seconds: null },
        },
      ],
    })
  })

  test("never shows a negative age or rest, and says when the holder is this instance", async () => {
    await sql`insert into cdc.leases values ('orders', 'me', 7, clock_timestamp() - interval '1 h')`.execute(
      models.db,
    )
    const app = createApp({
      role: "projector",
      sources: [{ source: "orders", reading: null, holder: "me", readiness: async () => ({}) }],
      reader: models.reader,
      log: quiet,
      now: () => heartbeatAt - 3_600_000,
    })
    expect(await (await app.request("/status")).json()).toMatchObject({
      role: "projector",
      sources: [{ lease: { seconds_left: 0, held_here: true }, heartbeat_age_seconds: 0 }],
    })
  })

  test("is known by name even when nothing of it is there", async () => {
    await sql`truncate cdc.sources, cdc.progress, cdc.generations`.execute(models.db)
    expect(await statusOf()).toMatchObject({
      sources: [{ source: "orders", lease: null, projector: null, position: null, requests: [] }],
    })
  })
})

describe("without a database", () => {
  test("is refused at once where nothing listens", async () => {
    const reader = createPool({ url: "postgres://reader@127.0.0.1:1/nowhere", applicationName: "test" })
    const lost = createQueryApp(models, { reader })
    const response = await lost.get("/status")
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({ type: "urn:lockstep:problem:database-unavailable" })
    await lost.close()
    await reader.end()
  })

  test("is refused within three seconds where nobody answers", async () => {
    const silent: LateDatabase = await createLateDatabase()
    const reader = createPool({ url: silent.url, applicationName: "test" })
    const lost = createQueryApp(models, { reader })
    const startedAt = performance.now()
    expect((await lost.get("/status")).status).toBe(503)
    expect(performance.now() - startedAt).toBeLessThan(3_000)
    await lost.close()
    await silent.close()
    await reader.end()
  })
})

describe("the parts of an instance", () => {
  test("are described, each route with its source", async () => {
    const described = await (await app.get("/openapi.json")).json()
    for (const path of [
      "/orders/{id}",
      "/sources/orders/orders/{id}",
      "/sources",
      "/sources/orders/readyz",
      "/status",
      "/readyz",
    ]) {
      expect(described).toHaveProperty(["paths", path])
    }
  })

  test("are those of its role: who only projects answers no queries", async () => {
    const projecting = createApp({
      role: "projector",
      sources: [{ source: "orders", reading: null, holder: "me", readiness: async () => ({}) }],
      reader: models.reader,
      log: quiet,
    })
    for (const path of ["/orders", "/sources", "/sources/orders/orders", "/sources/orders/readyz"]) {
      expect((await projecting.request(path)).status, path).toBe(404)
    }
    for (const path of ["/livez", "/status"]) expect((await projecting.request(path)).status, path).toBe(200)
    const failed = expect.objectContaining({ state: "failed" })
    expect(await (await projecting.request("/readyz")).json()).toEqual({
      status: "not-ready",
      checks: {
        dead_letters: { state: "ok" },
        events: { state: "ok", detail: { waiting: 0 } },
        database: expect.objectContaining({ state: "ok" }),
        generation: expect.objectContaining({ state: "ok" }),
        projector: failed,
        heartbeat: failed,
      },
    })
  })
})
