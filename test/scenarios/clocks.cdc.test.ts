// SCENARIOS row 25: a clock that is an hour off, on any process. Order is that of commits and nothing else; an age that
// cannot be known is not claimed, and one that is too great costs freshness, never truth. What lasts (leases, patience,
// pauses) is measured by clocks that nobody sets.
import { afterAll, expect, test } from "vitest"
import { createConnectClient } from "../../connectors/connect-client.ts"
import { readEndpoints } from "../stack/endpoints.ts"
import { createClient } from "../support/client.ts"
import { createServiceProcess, type ServiceProcess } from "../support/service-process.ts"
import { waitFor } from "../support/wait.ts"
import { givenScenario } from "./given/scenario.ts"
import { skewedClock } from "./given/skewed-clock.ts"

const hourMs = 3_600_000
const connect = createConnectClient({ url: readEndpoints().connectUrl })
const processes: ServiceProcess[] = []
const { system, client, differences } = givenScenario("clocks")

afterAll(async () => {
  for (const process of processes) await process.kill()
})

async function startSkewed(service: "command" | "query", byMs: number): Promise<ServiceProcess> {
  const environment = service === "command" ? system.commandEnvironment : system.queryEnvironment
  const skewed = createServiceProcess(service, { ...environment, LOG_LEVEL: "info" }, skewedClock(byMs))
  processes.push(skewed)
  await skewed.start()
  return skewed
}

async function expectEqual(): Promise<void> {
  expect(await differences()).toEqual([])
}

test("keeps the order of commits when command services disagree by two hours", async () => {
  const [ahead, behind] = await Promise.all([startSkewed("command", hourMs), startSkewed("command", -hourMs)])
  const clients = [createClient(ahead.url(), system.query.url), createClient(behind.url(), system.query.url)]
  const order = await clients[0]?.placeOrder()
  if (order === undefined) throw new Error("no order was placed")
  for (let version = 2; version <= 7; version++) {
    const sender = clients[version % 2]
    expect((await sender?.command("PATCH", order, { note: `note ${version}` }))?.status).toBe(200)
    expect((await sender?.read(order))?.body).toMatchObject({ version, note: `note ${version}` })
  }
  const { body } = await client.read(`${order}/history`, {})
  const events: { version: number; occurred_at: string }[] = JSON.parse(JSON.stringify(body.events))
  expect(events.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6, 7])
  const times = events.map(({ occurred_at }) => Date.parse(occurred_at))
  expect(Math.max(...times) - Math.min(...times), "the clocks really disagreed").toBeGreaterThan(hourMs)
  await expectEqual()
})

test("reads through an instance that is an hour behind, which does not claim to know an age", async () => {
  const behind = await startSkewed("query", -hourMs)
  const reader = createClient(system.commandUrl, behind.url)
  const order = await reader.placeOrder()
  const shown = await reader.read(order)
  expect(shown.status, shown.text).toBe(200)
  expect(shown.headers.get("read-age")).toBe("unknown")
  const demanding = await reader.read(order, { "Cache-Control": "max-age=60" })
  expect(demanding.status).toBe(503)
  expect(demanding.body.type).toBe("urn:lockstep:problem:read-not-current")
  expect((await reader.read("/readyz", {})).body).toMatchObject({ checks: { heartbeat: { state: "ok" } } })
})

test("goes on under a projector that is an hour ahead, whose instance says that clocks differ", async () => {
  const ahead = await startSkewed("query", hourMs)
  const reader = createClient(system.commandUrl, ahead.url)
  for (const process of processes) if (process !== ahead) await process.kill()
  await system.query.kill()
  const order = await reader.placeOrder()
  for (let version = 2; version <= 5; version++) {
    await reader.command("PATCH", order, { note: `note ${version}` })
    expect((await reader.read(order)).body).toMatchObject({ version })
  }
  const shown = await reader.read(order)
  expect(Number(shown.headers.get("read-age"))).toBeGreaterThanOrEqual(hourMs / 1_000)
  expect((await reader.read("/readyz", {})).body).toMatchObject({
    checks: {
      projector: { state: "ok" },
      heartbeat: { state: "failed", reason: expect.stringContaining("clocks") },
    },
  })
  await expectEqual()
  await ahead.kill()
  await system.query.start()
})

test("follows a source whose clock is an hour ahead, and is set right again", async () => {
  const order = await client.placeOrder()
  await client.read(order)
  const settings = (await connect.readSettings(system.connectorName)) ?? {}
  const beat = String(settings["heartbeat.action.query"])
  expect(beat).toContain("values (1, clock_timestamp(),")
  await connect.writeSettings(system.connectorName, {
    ...settings,
    "heartbeat.action.query": beat.replace("clock_timestamp()", "clock_timestamp() + interval '1 hour'"),
  })
  const age = async (): Promise<string | null> => (await client.read(order, {})).headers.get("read-age")
  await waitFor(async () => (await age()) === "unknown", "the age is unknown", 30_000)
  await client.command("PATCH", order, { note: "in the future" })
  expect((await client.read(order)).body).toMatchObject({ version: 2 })
  expect((await client.read(order, { "Cache-Control": "max-age=60" })).status).toBe(503)

  await connect.writeSettings(system.connectorName, settings)
  await waitFor(async () => Number((await age()) ?? Number.NaN) <= 2, "the age is right again", 30_000)
  const cached = await client.read(order, {})
  expect(cached.headers.get("cache-status")).toBe("lockstep; hit")
  expect((await client.read("/readyz", {})).status).toBe(200)
  await client.command("PATCH", order, { note: "in the present" })
  expect((await client.read(order)).body).toMatchObject({ version: 3 })
  await expectEqual()
})
