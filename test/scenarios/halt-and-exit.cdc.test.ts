// A projector under a supervisor: it ends with exit code 1 when it halts, and however often it is started again the
// status goes on saying why, until somebody has done something about it. Queries are answered by an instance of their own.
import { afterAll, beforeAll, expect, test } from "vitest"
import { createDatabase } from "../../db/connect.ts"
import type { QueryDatabase } from "../../db/query-schema.ts"
import { readRequest, requestRebuild } from "../../query/cdc/lease/requests.ts"
import { createServiceProcess, type ServiceProcess } from "../support/service-process.ts"
import { waitFor } from "../support/wait.ts"
import { givenScenario } from "./given/scenario.ts"

const { system, differences } = givenScenario("halt_and_exit", {
  queryEnvironment: () => ({ ROLE: "projector" }),
})
let http: ServiceProcess

beforeAll(async () => {
  const { READER_DATABASE_URL = "", REDIS_URL = "", SOURCE_NAME = "" } = system.queryEnvironment
  http = createServiceProcess("query", { ROLE: "http", READER_DATABASE_URL, REDIS_URL, SOURCE_NAME })
  await http.start()
})

afterAll(async () => {
  await http?.kill()
})

const get = async (path: string, of: ServiceProcess = http) => {
  const response = await fetch(`${of.url()}${path}`)
  const body: Record<string, unknown> = JSON.parse(await response.text())
  return { status: response.status, body }
}

/** Everything that the status was, as often as it could be looked at. */
function watchStates(): { stop: () => Promise<Set<string>> } {
  const states = new Set<string>()
  let watching = true
  const looking = (async () => {
    while (watching) {
      const { rows } = await system.reads.query("select state, since::text, reason from cdc.projector_status")
      for (const row of rows) states.add(JSON.stringify(row))
    }
  })()
  return {
    async stop() {
      watching = false
      await looking
      return states
    },
  }
}

test("an instance of role http answers queries and follows nothing; one of role projector the other way round", async () => {
  expect((await get("/orders")).status).toBe(200)
  await waitFor(async () => (await get("/readyz")).status === 200, "it is ready")
  const { checks } = (await get("/readyz")).body
  expect(checks).toMatchObject({ projector: { state: "ok" }, redis: { state: "ok" } })
  for (const unused of ["kafka", "schema_registry", "connect"]) expect(checks).not.toHaveProperty(unused)
  expect((await get("/status")).body).toMatchObject({
    role: "http",
    sources: [{ lease: { held_here: false } }],
  })
  expect((await get("/status", system.query)).body).toMatchObject({
    role: "projector",
    sources: [{ lease: { held_here: true } }],
  })
  expect((await get("/orders", system.query)).status).toBe(404)
})

test("ends with exit code 1, and restarts do not hide what it halted for", async () => {
  await system.source.query("truncate refunds")
  expect(await system.query.exited()).toBe(1)
  const halted = { state: "halted", next_step: expect.stringContaining("npx lockstep projection rebuild") }
  expect((await get("/status")).body).toMatchObject({
    sources: [{ projector: { ...halted, detail: { code: "truncate" } } }],
  })
  expect((await get("/readyz")).body.checks).toMatchObject({
    projector: { state: "failed", next_step: halted.next_step },
  })

  const watched = watchStates()
  for (let restart = 0; restart < 2; restart++) {
    await system.query.start()
    expect(await system.query.exited()).toBe(1)
  }
  const states = [...(await watched.stop())]
  expect(states).toHaveLength(1)
  expect(states[0]).toContain("halted")
  expect((await get("/orders")).status, "what was applied is still answered").toBe(200)
})

test("executes at its start what was requested meanwhile, and follows again", async () => {
  const db = createDatabase<QueryDatabase>(system.reads)
  const { id } = await requestRebuild(db, system.connectorName, "test")
  expect((await get("/status")).body).toMatchObject({
    sources: [{ requests: [{ id: String(id), kind: "rebuild", state: "pending" }] }],
  })
  await system.query.start()
  await waitFor(async () => (await readRequest(db, id))?.state === "done", "the rebuild is done", 30_000)
  await system.caughtUp()
  await waitFor(async () => (await get("/readyz")).status === 200, "it is ready")
  expect((await get("/status")).body).toMatchObject({
    sources: [{ projector: { state: "following", reason: null }, requests: [] }],
  })
  expect(await differences()).toEqual([])
  expect(await system.query.stop(), "told to stop it ends without complaint").toBe(0)
})
