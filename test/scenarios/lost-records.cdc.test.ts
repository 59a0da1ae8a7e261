// SCENARIOS rows 28 and 24: records that are needed have left Kafka, because retention was shorter than an outage or
// because a topic was deleted and made again. The projector halts, names the gap and says "rebuild from a snapshot",
// whether it is down meanwhile, running but behind, or reading; the rebuild makes both sides equal again. What expires
// after it was applied is missed by nobody.
import { expect, test } from "vitest"
import { createConnectClient } from "../../connectors/connect-client.ts"
import { registerConnector } from "../../connectors/register.ts"
import { readEndpoints } from "../stack/endpoints.ts"
import { rebuild } from "../support/rebuild.ts"
import { removeTopics } from "../support/topics.ts"
import { waitFor } from "../support/wait.ts"
import { type Halt, waitForHalt } from "./given/halts.ts"
import { givenScenario } from "./given/scenario.ts"

const { kafkaBrokers, connectUrl } = readEndpoints()
const connect = createConnectClient({ url: connectUrl })
const { system, client, topics, differences } = givenScenario("lost_records")

const orders = () => `${system.topicPrefix}.public.orders`
const commitLog = () => `${system.topicPrefix}.transaction`

/** Places orders, resolves when their rows lie in Kafka, and tells the path of the last one. */
async function placeOrders(count: number): Promise<string> {
  const before = await topics.length(orders())
  let last = ""
  for (let n = 0; n < count; n++) last = await client.placeOrder()
  await waitFor(async () => (await topics.length(orders())) >= before + count, "the orders are captured")
  return last
}

/** Removes everything that lies in the topic now. @returns where its partitions begin afterwards. */
async function expireAll(topic: string): Promise<Map<string, bigint>> {
  const ends = new Map([...(await topics.ranges([topic]))].map(([partition, { high }]) => [partition, high]))
  await topics.expire(ends)
  return ends
}

async function expectGap(begins: ReadonlyMap<string, bigint>): Promise<void> {
  const halt = await waitForHalt(system)
  expect(halt.detail.code).toBe("history-truncated")
  const partition = String(halt.detail.partition)
  expect([...begins.keys()]).toContain(partition)
  const low = begins.get(partition)
  expect(halt.reason).toMatch(
    new RegExp(
      `^${partition} begins at offset ${low}; \\d+ to ${Number(low) - 1} were not applied yet and are gone`,
    ),
  )
  await expectLoud(halt)
}

/** Readiness repeats what the halt says, commands work, and what was read before is still shown. */
async function expectLoud(halt: Halt): Promise<void> {
  expect(halt.next_step).toContain("rebuild from a snapshot: npx lockstep projection rebuild")
  expect((await client.read("/readyz", {})).body).toMatchObject({
    status: "not-ready",
    checks: { projector: { state: "failed", reason: halt.reason, next_step: halt.next_step } },
  })
  expect((await client.read("/orders?limit=1", {})).status).toBe(200)
}

async function expectWholeAfterRebuild(order: string): Promise<void> {
  await rebuild(system)
  expect((await client.read(order)).status).toBe(200)
  await expectEqual()
}

async function expectEqual(): Promise<void> {
  expect(await differences()).toEqual([])
  await waitFor(async () => (await client.read("/readyz", {})).status === 200, "readiness is green")
}

test("halts at a gap in a table's topic that came while it was down", async () => {
  await placeOrders(6)
  await system.caughtUp()
  await system.query.kill()
  const order = await placeOrders(12)
  const begins = await expireAll(orders())
  await system.query.start()
  await expectGap(begins)
  await expectWholeAfterRebuild(order)
})

test("halts at a gap in the commit log that came while it was down", async () => {
  await system.query.kill()
  const order = await placeOrders(3)
  const begins = await expireAll(commitLog())
  await system.query.start()
  await expectGap(begins)
  await expectWholeAfterRebuild(order)
})

test("halts at a gap that comes while it runs, but is behind", async () => {
  system.query.signal("SIGSTOP")
  const order = await placeOrders(24)
  const begins = await expireAll(orders())
  system.query.signal("SIGCONT")
  await expectGap(begins)
  await expectWholeAfterRebuild(order)
})

test("goes on when all that has expired was applied, in idle partitions and in the commit log", async () => {
  const order = await placeOrders(6)
  await client.read(order)
  await expectEqual()
  await system.query.kill()
  const { rows } = await system.reads.query<{ key: string; next: bigint }>(
    `select topic || '/' || partition as key, next_offset as next from cdc.resume_offsets
     union all select $1, last_end_offset + 1 from cdc.progress`,
    [`${commitLog()}/0`],
  )
  const applied = new Map(rows.map(({ key, next }) => [key, next]))
  await topics.expire(applied)
  const ranges = await topics.ranges([orders(), commitLog()])
  const idle = [...ranges].filter(([key, { low, high }]) => low === high && low === applied.get(key))
  expect(idle.length, "partitions in which nothing is left").toBeGreaterThan(0)
  expect(ranges.get(`${commitLog()}/0`)?.low).toBe(applied.get(`${commitLog()}/0`))
  await system.query.start()
  expect((await client.read(await client.placeOrder())).status).toBe(200)
  await expectEqual()
})

async function remakeTopics(): Promise<void> {
  await connect.stop(system.connectorName)
  await removeTopics(kafkaBrokers, system.topicPrefix)
  await registerConnector(system.registration)
}

test("halts when its topics were deleted and made again while it was down", async () => {
  await system.query.kill()
  await remakeTopics()
  await system.query.start()
  const halt = await waitForHalt(system)
  expect(halt.detail.code).toBe("commit-log-mismatch")
  expect(halt.reason).toContain("it is not the topic that was followed")
  await expectLoud(halt)
  await expectWholeAfterRebuild(await client.placeOrder())
})

test("halts when they are deleted and made again under its eyes", async () => {
  await placeOrders(6)
  await system.caughtUp()
  await remakeTopics()
  const halt = await waitForHalt(system)
  expect(halt.detail.code).toBe("commit-log-mismatch")
  await expectLoud(halt)
  await expectWholeAfterRebuild(await client.placeOrder())
})
