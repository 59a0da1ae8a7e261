// SCENARIOS row 19, the worst form of an outage: a server takes connections and requests and answers nothing, so no
// error tells anybody. One query service sees its servers by way of relays; the stack itself is not disturbed.
// Nothing is skipped, readiness names what is missing in bounded time, commands never notice, and the read side
// catches up by itself in bounded time once the way is free.
import { setTimeout as sleep } from "node:timers/promises"
import { afterEach, expect, test } from "vitest"
import { kept, startTrial, type Trial } from "../chaos/given/trial.ts"
import { readEndpoints } from "../stack/endpoints.ts"
import type { Answer } from "../support/client.ts"
import { openedForFile } from "../support/opened.ts"
import { createRelay, type Relay } from "../support/relay.ts"
import { waitFor } from "../support/wait.ts"
import { givenScenario } from "./given/scenario.ts"

type Place = "database" | "kafka" | "registry" | "connect" | "redis"

/** Longer than the projector's lease and than the client's requests to Kafka may take. */
const longMs = 12_000
const shortMs = 3_000
/** LIVE: everything is applied so soon after the way is free. */
const liveMs = 30_000

const relays = openedForFile(openRelays, async (opened) => {
  for (const relay of Object.values(opened)) await relay.close()
})
const { system, client } = givenScenario("black_holes", {
  queryEnvironment(usual) {
    const { database, kafka, registry, connect, redis } = relays()
    return {
      PROJECTOR_DATABASE_URL: database.through(usual.PROJECTOR_DATABASE_URL ?? ""),
      READER_DATABASE_URL: database.through(usual.READER_DATABASE_URL ?? ""),
      KAFKA_BROKERS: kafka.through(usual.KAFKA_BROKERS ?? ""),
      SCHEMA_REGISTRY_URL: registry.through(usual.SCHEMA_REGISTRY_URL ?? ""),
      CONNECT_URL: connect.through(usual.CONNECT_URL ?? ""),
      REDIS_URL: redis.through(usual.REDIS_URL ?? ""),
    }
  },
})

async function openRelays(): Promise<Record<Place, Relay>> {
  const { queryDatabaseUrl, kafkaBrokers, registryUrl, connectUrl, redisUrl } = readEndpoints()
  return {
    database: await createRelay(queryDatabaseUrl),
    kafka: await createRelay(kafkaBrokers),
    registry: await createRelay(registryUrl),
    connect: await createRelay(connectUrl),
    redis: await createRelay(redisUrl),
  }
}

afterEach(async () => {
  for (const relay of Object.values(relays())) await relay.pass()
})

const readiness = (): Promise<Answer> => client.read("/readyz", {})

async function redFor(check: string, reason: RegExp, limitMs = 5_000): Promise<void> {
  const startedAt = performance.now()
  let last = ""
  await waitFor(
    async () => {
      const { status, text, body } = await readiness()
      last = text
      return status === 503 && reason.test(JSON.stringify(Object(body.checks)[check] ?? ""))
    },
    `${check} is red for ${reason}`,
    limitMs,
  ).catch((cause: unknown) => {
    throw new Error(`readiness was last ${last}`, { cause })
  })
  console.log(`readiness was red for ${check} after ${Math.round(performance.now() - startedAt)} ms`)
}

/** Lets nothing through to the place for a while, under load, and tells how long it then took to be up to date. */
async function through(
  place: Place,
  trial: Trial,
  lastsMs: number,
  look: () => Promise<void>,
): Promise<void> {
  relays()[place].blackHole()
  const accepted = trial.customers.acknowledged.size
  await Promise.all([look(), sleep(lastsMs)])
  await waitFor(() => trial.customers.acknowledged.size > accepted + 5, "commands are accepted meanwhile")
  await relays()[place].pass()
  const startedAt = performance.now()
  await system.caughtUp(liveMs)
  console.log(`up to date ${Math.round(performance.now() - startedAt)} ms after ${place} answered again`)
  await waitFor(async () => (await readiness()).status === 200, "readiness is green again", liveMs)
  expect(system.query.logs.filter(({ level }) => level === 60)).toEqual([])
  const parked = await system.reads.query("select * from cdc.dead_letters")
  expect(parked.rows, "DLQ").toEqual([])
}

async function msOf<T>(work: Promise<T>): Promise<{ ms: number; outcome: T }> {
  const startedAt = performance.now()
  const outcome = await work
  return { ms: performance.now() - startedAt, outcome }
}

test("gives up its own database in bounded time, answers reads by name, and skips nothing", async () => {
  const trial = await startTrial(system, { writers: 1 })
  const order = await client.placeOrder()
  await client.read(order)
  await through("database", trial, longMs, async () => {
    await redFor("database", /query database/)
    const refused = await msOf(client.read(`${order}/history`, {}))
    expect(refused.outcome.status, refused.outcome.text).toBe(503)
    expect(refused.outcome.body.type).toBe("urn:lockstep:problem:database-unavailable")
    expect(refused.ms).toBeLessThan(20_000)
  })
  expect(await trial.conclude()).toEqual(kept)
})

test("leaves a silent broker for a new connection and goes on where it was", async () => {
  const trial = await startTrial(system, { writers: 1 })
  const order = await client.placeOrder()
  await client.read(order)
  await through("kafka", trial, longMs, async () => {
    await redFor("kafka", /Kafka cannot be reached/)
    expect((await client.read(order, {})).status).toBe(200)
  })
  expect(await trial.conclude()).toEqual(kept)
})

test("waits for a silent schema registry instead of calling records unreadable", async () => {
  const trial = await startTrial(system)
  await system.query.kill()
  await through("registry", trial, shortMs, async () => {
    await system.query.start()
    await redFor("schema_registry", /schema registry cannot be reached/, 10_000)
    await redFor("projector", /schema registry .*does not answer/, 20_000)
  })
  expect(await trial.conclude()).toEqual(kept)
})

test("does not need Connect's REST interface while nothing has to be proven", async () => {
  const trial = await startTrial(system)
  await through("connect", trial, shortMs, async () => {
    await redFor("connect", /Kafka Connect cannot be reached/)
    const order = await client.placeOrder()
    expect((await client.read(order)).status).toBe(200)
  })
  expect(await trial.conclude()).toEqual(kept)
})

test("serves every read in time and never an old one while Redis is silent", async () => {
  const trial = await startTrial(system)
  const order = await client.placeOrder()
  await client.read(order)
  let slowestMs = 0
  await through("redis", trial, shortMs, async () => {
    for (let version = 2; version < 12; version++) {
      await client.command("PATCH", order, { note: `note ${version}` })
      const { ms, outcome } = await msOf(client.read(order))
      expect(outcome.status, outcome.text).toBe(200)
      expect(outcome.body.version).toBe(version)
      slowestMs = Math.max(slowestMs, ms)
    }
    expect((await readiness()).body.checks).toMatchObject({ redis: { state: "degraded" } })
  })
  console.log(`the slowest of ten reads took ${Math.round(slowestMs)} ms`)
  expect(slowestMs).toBeLessThan(4_000)
  await waitFor(
    async () => (await client.read(order, {})).headers.get("cache-status") === "lockstep; hit",
    "the cache answers again",
    30_000,
  )
  expect(await trial.conclude()).toEqual(kept)
})

test("stops in bounded time on SIGTERM although nothing answers", async () => {
  for (const relay of Object.values(relays())) relay.blackHole()
  const { ms, outcome } = await msOf(system.query.stop())
  console.log(`it stopped after ${Math.round(ms)} ms`)
  expect(outcome, "exit code").toBe(0)
  expect(ms).toBeLessThan(25_000)
})
