// What must never be passed over in silence (SCENARIOS rows 9 and 11): a TRUNCATE at the source and an entry of the
// commit log that cannot be read. The projector halts and says why, where and what to do; readers keep what they had, commands are
// not concerned, a restart does not make it forget, and the rebuild it asks for makes both sides equal again.
import { expect, test } from "vitest"
import { rebuild } from "../support/rebuild.ts"
import { waitFor } from "../support/wait.ts"
import { type Halt, waitForHalt } from "./given/halts.ts"
import { givenScenario } from "./given/scenario.ts"

const { system, client, topics, differences } = givenScenario("halts")

/** What holds while the projector stands still: readiness says so, reads show the state before, commands work. */
async function expectLoudAndServing(order: string, halt: Halt): Promise<void> {
  const readiness = await client.read("/readyz", {})
  expect(readiness.status).toBe(503)
  expect(readiness.body).toMatchObject({
    status: "not-ready",
    checks: { projector: { state: "failed", reason: halt.reason, next_step: halt.next_step } },
  })
  expect((await client.read(order, {})).body).toMatchObject({ version: 1 })
  const changed = await client.command("PATCH", order, { note: "while it stands still" })
  expect(changed.status).toBe(200)
  const waited = await client.read(order, {
    "Consistency-Token": String(changed.headers.get("consistency-token")),
    Prefer: "wait=0",
  })
  expect(waited.status).toBe(503)
  expect(waited.body.type).toBe("urn:lockstep:problem:read-not-current")
}

async function expectWholeAgain(order: string): Promise<void> {
  expect((await client.read(order)).body).toMatchObject({ version: 2, note: "while it stands still" })
  expect(await differences()).toEqual([])
  await waitFor(async () => (await client.read("/readyz", {})).status === 200, "readiness is green")
}

test("halts when a captured table is truncated at the source, and a rebuild makes it whole", async () => {
  const order = await client.placeOrder()
  await system.source.query(
    "insert into payments (order_id, payment, status, amount_minor, currency, provider) values ($1, 1, 'captured', 2999, 'USD', 'test')",
    [order.slice("/orders/".length)],
  )
  await system.caughtUp()
  expect((await client.read(order)).body.payments).toHaveLength(1)
  await system.source.query("truncate payments cascade")

  const halt = await waitForHalt(system)
  expect(halt.reason).toBe("Table payments was truncated at the source.")
  expect(halt.next_step).toContain("npx lockstep projection rebuild")
  expect(halt.detail).toMatchObject({ code: "truncate", table: "payments" })
  expect(system.query.logs.filter(({ level, code }) => level === 60 && code === "truncate")).toHaveLength(1)
  await expectLoudAndServing(order, halt)

  await rebuild(system)
  await expectWholeAgain(order)
  expect((await client.read(order)).body.payments).toEqual([])
})

test("halts at a commit-log entry that cannot be read, names its place, and does not forget it in a restart", async () => {
  const order = await client.placeOrder()
  await system.caughtUp()
  const topic = `${system.topicPrefix}.transaction`
  const partition = 0
  await topics.write([
    { topic, partition, key: Buffer.from("nobody"), value: Buffer.from('{"op":"c"}'), headers: {} },
  ])

  const halt = await waitForHalt(system)
  expect(halt.reason).toContain(`${topic}[${partition}]@`)
  expect(halt.next_step).toContain("npx lockstep projection rebuild")
  expect(halt.detail).toMatchObject({
    code: "undecodable-commit-log",
    topic,
    partition,
  })
  await expectLoudAndServing(order, halt)

  await system.query.kill()
  await system.reads.query("delete from cdc.projector_status")
  await system.query.start()
  expect(await waitForHalt(system)).toEqual(halt)

  await rebuild(system)
  await expectWholeAgain(order)
  await system.query.kill()
  await system.query.start()
  await client.command("PATCH", order, { note: "afterwards" })
  expect((await client.read(order)).body).toMatchObject({ version: 3, note: "afterwards" })
})
