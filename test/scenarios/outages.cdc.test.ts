// SCENARIOS row 19: each server that the read side needs goes away under load and comes back. Commands never notice,
// readiness says what is missing, readers get what can still be promised, and the read side recovers by itself.
import { setTimeout as sleep } from "node:timers/promises"
import { expect, test } from "vitest"
import { kept, startTrial, type Trial } from "../chaos/given/trial.ts"
import { readEndpoints, stackParts } from "../stack/endpoints.ts"
import type { Part } from "../stack/native/process.ts"
import type { Answer } from "../support/client.ts"
import { waitFor } from "../support/wait.ts"
import { givenScenario } from "./given/scenario.ts"

/** Longer than the clients' first retries. */
const outageMs = 3_000

const { system, client } = givenScenario("outages")
const parts = stackParts(readEndpoints())

/** Kills the part for some seconds, looks at what holds without it while commands go on, and starts it again. */
async function without(part: Part, trial: Trial, look: () => Promise<void>): Promise<void> {
  await part.kill()
  try {
    const before = trial.customers.acknowledged.size
    await Promise.all([look(), sleep(outageMs)])
    await waitFor(() => trial.customers.acknowledged.size > before + 10, "commands are accepted meanwhile")
  } finally {
    await part.start()
  }
}

const readiness = (): Promise<Answer> => client.read("/readyz", {})

/** Waits until readiness is red for a reason that names what is gone, and tells how long that took. */
async function redFor(check: string, reason: RegExp): Promise<void> {
  const startedAt = Date.now()
  let last = ""
  await waitFor(
    async () => {
      const { status, text, body } = await readiness()
      last = text
      const shown = JSON.stringify(Object(body.checks)[check])
      return status === 503 && reason.test(shown ?? "")
    },
    `${check} is red for ${reason}`,
    20_000,
  ).catch((cause: unknown) => {
    throw new Error(`readiness was last ${last}`, { cause })
  })
  console.log(`readiness was red for ${check} after ${Date.now() - startedAt} ms`)
}

async function greenAgain(): Promise<void> {
  const startedAt = Date.now()
  await waitFor(async () => (await readiness()).status === 200, "readiness is green again", 30_000)
  console.log(`readiness was green again after ${Date.now() - startedAt} ms`)
}

test("recovers from an outage of Kafka; reads and commands go on meanwhile", async () => {
  const trial = await startTrial(system)
  const order = await client.placeOrder()
  await client.read(order)
  await without(parts.kafka, trial, async () => {
    await redFor("kafka", /Kafka cannot be reached/)
    expect((await client.read(order, {})).status).toBe(200)
  })
  await greenAgain()
  expect(await trial.conclude()).toEqual(kept)
})

test("recovers from an outage of the schema registry that a fresh projector meets", async () => {
  const trial = await startTrial(system)
  await without(parts.registry, trial, async () => {
    await system.query.kill()
    await system.query.start()
    await redFor("schema_registry", /registry/)
  })
  await greenAgain()
  expect(await trial.conclude()).toEqual(kept)
})

test("recovers from an outage of its own database, and refuses reads by name meanwhile", async () => {
  const trial = await startTrial(system)
  const order = await client.placeOrder()
  await client.read(order)
  await without(parts.queryDatabase, trial, async () => {
    await redFor("database", /query database/)
    const refused = await client.read(`${order}/history`, {})
    expect(refused.status).toBe(503)
    expect(refused.body.type).toBe("urn:lockstep:problem:database-unavailable")
  })
  await greenAgain()
  expect(await trial.conclude()).toEqual(kept)
})

test("serves every read without Redis, only slower, and uses it again when it is back", async () => {
  const trial = await startTrial(system)
  const order = await client.placeOrder()
  await client.read(order)
  await without(parts.redis, trial, async () => {
    for (let version = 2; version < 12; version++) {
      await client.command("PATCH", order, { note: `note ${version}` })
      const shown = await client.read(order)
      expect(shown.status, shown.text).toBe(200)
      expect(shown.body.version).toBe(version)
    }
    const { status, body } = await readiness()
    expect(status).toBe(200)
    expect(body.checks).toMatchObject({ redis: { state: "degraded" } })
  })
  await waitFor(
    async () => (await client.read(order, {})).headers.get("cache-status") === "lockstep; hit",
    "the cache answers again",
    30_000,
  )
  expect(await trial.conclude()).toEqual(kept)
})
