// A system on trial: load on it and eyes upon it while a scenario does its worst, and the verdict at the end. Every
// list of the verdict names what broke one of the invariants; a system that kept its promise has three empty lists.
import { onTestFinished } from "vitest"
import { chooseSeed, createRandom, type Random } from "../../support/random.ts"
import type { System } from "../../support/system.ts"
import { type Customers, startCustomers } from "./customers.ts"
import { createMirrorViews, type Difference, findDifferences, findUnacknowledged } from "./invariants.ts"
import { type Observer, startObserver } from "./observer.ts"
import { startWriters } from "./writers.ts"

export type Verdict = {
  /** EQ and SUM. */
  differences: Difference[]
  /** ACK. */
  unacknowledged: unknown[]
  /** ATOM and MONO. */
  lies: string[]
}

export const kept: Verdict = { differences: [], unacknowledged: [], lies: [] }

export type Trial = {
  random: Random
  customers: Customers
  observer: Observer
  /** Ends the load, waits until the read side has all of it, and compares. */
  conclude: () => Promise<Verdict>
}

/** `writers` write straight to the write tables, in transactions of up to 2,000 changes. */
export async function startTrial(
  system: System,
  options: { customers?: number; writers?: number } = {},
): Promise<Trial> {
  const seed = chooseSeed()
  console.log(`SEED=${seed}`)
  const random = createRandom(seed)
  await createMirrorViews(system.source)
  const observer = startObserver({
    reads: system.reads,
    queryUrl: system.query.url,
    random: random.fork("observer").below,
  })
  const customers = startCustomers({
    commandUrl: system.commandUrl,
    random: random.fork("customers"),
    count: options.customers ?? 2,
    onOrder: observer.watch,
  })
  const writers = startWriters(system.source, random.fork("writers"), options.writers ?? 0)

  const stopLoad = () => Promise.all([customers.stop(), writers.stop()])
  // Also when the test fails half-way: nothing may go on beside the next one.
  onTestFinished(async () => {
    await Promise.allSettled([stopLoad(), observer.stop()])
  })

  return {
    random,
    customers,
    observer,
    async conclude() {
      await stopLoad()
      try {
        await system.caughtUp()
      } finally {
        await observer.stop()
      }
      const schema = await system.liveSchema()
      console.log(
        `${customers.acknowledged.size} orders over HTTP, ${writers.totals.changes} changes of writers, ` +
          `${observer.polls()} snapshots and ${observer.httpReads()} answers looked at`,
      )
      return {
        differences: await findDifferences(system.source, system.reads, schema),
        unacknowledged: await findUnacknowledged(system.reads, schema, customers.acknowledged),
        lies: observer.lies,
      }
    },
  }
}
