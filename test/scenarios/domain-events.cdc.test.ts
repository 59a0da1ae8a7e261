// What others are told: while orders are placed, changed and cancelled over HTTP, while the query service is killed
// again and again and a rebuild loads a fresh generation, the topic gets each order's events once, in the sequence of
// versions; and a change made to the tables behind the commands' back is told, too.
import { setTimeout as sleep } from "node:timers/promises"
import { expect, test } from "vitest"
import { z } from "zod"
import { kept, startTrial } from "../chaos/given/trial.ts"
import { readEndpoints } from "../stack/endpoints.ts"
import { createClient } from "../support/client.ts"
import { type DomainEvent, eventsIn } from "../support/events.ts"
import { rebuild } from "../support/rebuild.ts"
import { givenSystem } from "../support/system.ts"
import { waitFor } from "../support/wait.ts"

const { kafkaBrokers, registryUrl } = readEndpoints()
const system = givenSystem("events")
const topic = () => `${system.topicPrefix}.order-events`

/** All in the topic, once nothing waits any more. */
async function published(): Promise<DomainEvent[]> {
  await system.caughtUp()
  await waitFor(
    async () => {
      const { rows } = await system.reads.query("select from cdc.outbox where published_at is null limit 1")
      return rows.length === 0
    },
    "every event is published",
    30_000,
  )
  return await eventsIn(kafkaBrokers, topic())
}

const ofOrder = (events: readonly DomainEvent[], id: string) => events.filter(({ subject }) => subject === id)

test("through kills and a rebuild every command is one event, in the sequence of versions", async () => {
  const trial = await startTrial(system, { customers: 2 })
  for (let round = 0; round < 4; round++) {
    // Killed at any moment, loading, catching up or following.
    await sleep(trial.random.below(1_500))
    await system.query.kill()
    await system.query.start()
    if (round === 1) await rebuild(system)
  }
  expect(await trial.conclude()).toEqual(kept)

  const events = await published()
  const { rows } = await system.source.query<{ id: string; type: string; orders: string }>(
    "select order_id || '/' || version as id, type, order_id as orders from order_events order by order_id, version",
  )
  expect(rows.length).toBeGreaterThan(20)
  const told = [...new Set(rows.map(({ orders }) => orders))].flatMap((order) => ofOrder(events, order))
  expect(told.map(({ id, type, inferred }) => ({ id, type, inferred }))).toEqual(
    rows.map(({ id, type }) => ({ id, type, inferred: false })),
  )
  expect(events).toHaveLength(rows.length)
})

test("a change made by SQL is one inferred event, and tells nothing personal", async () => {
  const client = createClient(system.commandUrl, system.query.url)
  const order = (await client.placeOrder()).replace("/orders/", "")
  await system.source.query(
    "update orders set status = 'cancelled', note = 'Anna Schmidt, Gasse 1' where id = $1",
    [order],
  )
  await system.source.query("update orders set note = note where id = $1", [order])
  const events = ofOrder(await published(), order)
  expect(events.map(({ type, inferred }) => ({ type, inferred }))).toEqual([
    { type: "OrderCreated", inferred: false },
    { type: "OrderCancelled", inferred: true },
  ])
  expect(events[1]?.data).toMatchObject({
    order_id: order,
    before: { status: "draft" },
    after: { status: "cancelled" },
    changes: [{ table: "orders", key: [], change: "updated", columns: ["status", "note"] }],
  })
  expect(JSON.stringify(events)).not.toContain("Schmidt")
})

test("a rebuild tells what happened before it could be applied, and nothing that was told", async () => {
  const client = createClient(system.commandUrl, system.query.url)
  const order = (await client.placeOrder()).replace("/orders/", "")
  const before = await published()
  await rebuild(system)
  await client.command("POST", `/orders/${order}/cancel`, { reason: "changed my mind" })
  const events = await published()
  expect(events).toHaveLength(before.length + 1)
  expect(ofOrder(events, order).map(({ type }) => type)).toEqual(["OrderCreated", "OrderCancelled"])
  expect(JSON.stringify(events)).not.toContain("changed my mind")
})

test("every message fits the registered schema and names itself a CloudEvent", async () => {
  const url = new URL(`/apis/ccompat/v7/subjects/${topic()}-value/versions/latest`, registryUrl)
  const { schema } = z.object({ schema: z.string() }).parse(await (await fetch(url)).json())
  const message = z.fromJSONSchema(JSON.parse(schema))
  for (const event of await published()) {
    expect(message.safeParse(event).error, event.id).toBeUndefined()
    expect(event).toMatchObject({ specversion: "1.0", source: `urn:lockstep:${system.topicPrefix}` })
  }
  expect(message.safeParse({ specversion: "1.0" }).success).toBe(false)
})
