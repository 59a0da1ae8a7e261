// A source whose tables change while it is written to: the scenarios of drift run their statements against it, and
// compare both sides after each.
import { beforeAll, expect } from "vitest"
import { createConnectClient } from "../../../connectors/connect-client.ts"
import type { Projections } from "../../../query/cdc/projection/projection.ts"
import { createMirrorViews, type Difference, findDifferences } from "../../chaos/given/invariants.ts"
import { readEndpoints } from "../../stack/endpoints.ts"
import { givenScenario } from "./scenario.ts"

/** A source with an order of one item and two payments, for all tests of the file. */
export function givenDriftingSource(base: string) {
  const { system, client, topics } = givenScenario(base)
  /** The path of the order. */
  let order = ""
  const id = () => order.slice("/orders/".length)

  beforeAll(async () => {
    order = await client.placeOrder(2)
    // What would keep a migration from changing the table as freely as the cases do.
    await run("alter table refunds drop constraint refunds_order_id_payment_fkey")
    await run(`insert into payments (order_id, payment, status, amount_minor, currency, provider, provider_reference)
      values ('${id()}', 1, 'captured', 5998, 'USD', 'test', 'ref-1'), ('${id()}', 2, 'failed', 5998, 'USD', 'test', 'ref-2')`)
    await system.caughtUp()
  })

  async function run(...statements: string[]): Promise<void> {
    for (const statement of statements) await system.source.query(statement)
  }

  async function generation(): Promise<{ generation: number; version: string }> {
    const { rows } = await system.reads.query<{ generation: number; version: string }>(
      "select generation, projection_version as version from cdc.generations where state = 'live'",
    )
    return rows[0] ?? expect.unreachable("no generation serves")
  }

  /** EQ and SUM at the position that holds everything committed so far. */
  async function differences(projections?: Projections): Promise<Difference[]> {
    await system.caughtUp(20_000)
    await createMirrorViews(system.source)
    try {
      return await findDifferences(system.source, system.reads, await system.liveSchema(), projections)
    } finally {
      // A view would forbid the next change of a column.
      await run("drop schema as_mirrored cascade")
    }
  }

  /** Writes to several tables all the while, as an application would that does not know of any change. */
  function startWrites(): { stop: () => Promise<number> } {
    let running = true
    let transactions = 0
    const writing = (async () => {
      while (running) {
        await run(`with touched as (update customers set version = version + 1 where id = 'customer-124' returning id)
          update orders set updated_at = clock_timestamp() where id = '${id()}' and exists (select from touched)`)
        transactions++
      }
    })()
    return {
      async stop() {
        running = false
        await writing
        return transactions
      },
    }
  }

  return {
    system,
    client,
    topics,
    connect: createConnectClient({ url: readEndpoints().connectUrl }),
    order: () => order,
    id,
    run,
    generation,
    differences,
    startWrites,
    touchOrder: () => `update orders set note = md5(random()::text) where id = '${id()}'`,
    touchPayment: () =>
      `update payments set provider = md5(random()::text) where order_id = '${id()}' and payment = 1`,
    touchItem: () => `update order_items set quantity = quantity % 9 + 1 where order_id = '${id()}'`,
  }
}
