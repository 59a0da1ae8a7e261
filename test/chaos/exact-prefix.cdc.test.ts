// The promise under fire. A seeded random workload (four writers straight on the tables, clients over HTTP) runs
// while Connect and the projector are killed again and again, inside transactions where it hurts most. All the
// while a reader looks for torn or receding state, and at the end both sides must be equal row by row.
// The source offset is committed every 60 ms, so that crashes come to lie inside transactions: the run fails if it
// met none of those.
import { afterAll, beforeAll, expect, test } from "vitest"
import { readEndpoints, stackParts } from "../stack/endpoints.ts"
import { createSystem, type System } from "../support/system.ts"
import { startCustomers } from "./customers.ts"
import { killConnectRepeatedly, killProjectorRepeatedly } from "./faults.ts"
import { createMirrorViews, findDifferences } from "./invariants.ts"
import { startObserver } from "./observer.ts"
import { chooseSeed, createRandom } from "./random.ts"
import { startWriters } from "./writers.ts"

const connectKills = Number(process.env.KILLS ?? 20)
const projectorKills = 8
const connect = stackParts(readEndpoints(), { offsetFlushMs: 60 }).connect
let system: System

beforeAll(async () => {
  await connect.stop()
  await connect.start()
  system = await createSystem("chaos")
  await createMirrorViews(system.source)
})

afterAll(async () => {
  await system?.drop()
  const usual = stackParts(readEndpoints()).connect
  await usual.stop()
  await usual.start()
})

test("the read side is an exact prefix through kills of Connect and the projector", async () => {
  const seed = chooseSeed()
  console.log(`SEED=${seed}`)
  const random = createRandom(seed)
  const observer = startObserver({
    reads: system.reads,
    queryUrl: system.query.url,
    random: random.fork("observer").below,
  })
  const writers = startWriters(system.source, random.fork("writers"))
  const customers = startCustomers({
    commandUrl: system.commandUrl,
    random: random.fork("customers"),
    count: 3,
    onOrder: observer.watch,
  })

  try {
    await Promise.all([
      killConnectRepeatedly(connect, writers, random.fork("connect"), connectKills),
      killProjectorRepeatedly(system.query, random.fork("projector"), projectorKills),
    ])
    await customers.stop()
    console.log(await writers.stop())
    await system.caughtUp(120_000)
  } finally {
    await customers.stop()
    await writers.stop()
    await observer.stop()
  }

  const disturbed = new Set(
    system.query.logs.filter((line) => line.code === "disturbed").map((line) => String(line.commitLsn)),
  )
  console.log({
    seed,
    ...writers.totals,
    acknowledgedOrders: customers.acknowledged.size,
    connectKills,
    projectorKills,
    disturbedTransactions: disturbed.size,
    polls: observer.polls(),
    httpReads: observer.httpReads(),
  })
  expect(observer.lies, "ATOM and MONO").toEqual([])
  expect(await findDifferences(system.source, system.reads, await system.liveSchema()), "EQ and SUM").toEqual(
    [],
  )
  expect(await unacknowledged(customers.acknowledged), "ACK").toEqual([])
  expect(disturbed.size, "transactions with a crash inside them").toBeGreaterThan(0)
  expect(observer.polls()).toBeGreaterThan(100)
})

/** Accepted commands that the read model does not show exactly once. */
async function unacknowledged(acknowledged: ReadonlyMap<string, number>): Promise<unknown[]> {
  const schema = await system.liveSchema()
  const { rows } = await system.reads.query(
    `select a.id, a.version, o.version as shown, h.entries
     from unnest($1::text[], $2::integer[]) a (id, version)
     left join ${schema}.orders o on o.id = a.id and not o.deleted
     left join lateral (select count(*)::integer as entries, max(version) as last from ${schema}.order_events e
                        where e.order_id = a.id and not e.deleted) h on true
     where o.version is distinct from a.version or h.entries <> a.version or h.last <> a.version`,
    [[...acknowledged.keys()], [...acknowledged.values()]],
  )
  return rows
}
