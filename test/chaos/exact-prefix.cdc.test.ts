// The promise under fire. A seeded random workload (four writers straight on the tables, clients over HTTP) runs
// while Connect and the projector are killed again and again, inside transactions where it hurts most. All the
// while a reader looks for torn or receding state, and at the end both sides must be equal row by row.
// The source offset is committed every 60 ms, so that crashes come to lie inside transactions: the run fails if it
// met none of those.
import { pino } from "pino"
import { afterAll, beforeAll, expect, test } from "vitest"
import { createKafkaAccess } from "../../query/cdc/kafka/kafka.ts"
import { readEndpoints, stackParts } from "../stack/endpoints.ts"
import { chooseSeed, createRandom } from "../support/random.ts"
import { givenSystem } from "../support/system.ts"
import { times } from "../support/times.ts"
import { startCustomers } from "./given/customers.ts"
import { killConnectRepeatedly, killProjectorRepeatedly } from "./given/faults.ts"
import { createMirrorViews, findDifferences, findUnacknowledged } from "./given/invariants.ts"
import { startObserver } from "./given/observer.ts"
import { startWriters } from "./given/writers.ts"

const connectKills = Number(process.env.KILLS ?? 20 * times)
const projectorKills = 8 * times
const connect = stackParts(readEndpoints(), { offsetFlushMs: 60 }).connect
const kafka = createKafkaAccess({
  brokers: [readEndpoints().kafkaBrokers],
  clientId: "chaos",
  log: pino({ level: "silent" }),
})
const system = givenSystem("chaos")

beforeAll(async () => {
  await connect.stop()
  await connect.start()
  await createMirrorViews(system.source)
})

afterAll(async () => {
  await kafka.close()
  const usual = stackParts(readEndpoints()).connect
  await usual.stop()
  await usual.start()
})

test(
  "the read side is an exact prefix through kills of Connect and the projector",
  async () => {
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
      count: 1,
      onOrder: observer.watch,
    })

    try {
      await Promise.all([
        killConnectRepeatedly(connect, countSent, random.fork("connect"), connectKills, hasMetCrash),
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
    const schema = await system.liveSchema()
    expect(await findDifferences(system.source, system.reads, schema), "EQ and SUM").toEqual([])
    expect(await findUnacknowledged(system.reads, schema, customers.acknowledged), "ACK").toEqual([])
    expect(disturbed.size, "transactions with a crash inside them").toBeGreaterThan(0)
    expect(observer.polls()).toBeGreaterThan(100)
    // So many kills take three minutes, and three times as long where something else needs the processors.
  },
  1_500_000 * times,
)

const hasMetCrash = (): boolean => system.query.logs.some((line) => line.code === "disturbed")

/** Item rows that Connect has sent so far. */
async function countSent(): Promise<number> {
  const ranges = await kafka.offsetRanges([`${system.topicPrefix}.public.order_items`])
  return [...ranges.values()].reduce((sum, { high }) => sum + Number(high), 0)
}
