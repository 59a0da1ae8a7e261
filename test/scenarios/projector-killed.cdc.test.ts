// SCENARIOS row 1: the projector dies between any two of its steps. First its connection ends at each statement of an
// apply in turn, and at the commit; then the whole process is killed, again and again, wherever it happens to be.
import { setTimeout as sleep } from "node:timers/promises"
import { beforeAll, expect, test } from "vitest"
import { kept, startTrial } from "../chaos/given/trial.ts"
import { times } from "../support/times.ts"
import { waitFor } from "../support/wait.ts"
import { givenScenario } from "./given/scenario.ts"

const { system, client } = givenScenario("projector_killed")

beforeAll(async () => {
  // A sequence counts outside of transactions: the first passage ends the connection, every later one goes on.
  await system.reads.query(`
    create schema fault;
    create sequence fault.passages;
    create function fault.end_connection() returns trigger language plpgsql security definer as $$
    begin
      if nextval('fault.passages') = 1 then
        perform pg_terminate_backend(pg_backend_pid());
        perform pg_sleep(5);
      end if;
      return null;
    end $$`)
})

const statements = [
  ["cdc.progress", "before update"],
  ["cdc.applied_xids", "before insert"],
  ["cdc.resume_offsets", "before insert"],
  ["read_1.customers", "before insert"],
  ["read_1.orders", "before insert"],
  ["read_1.order_items", "before insert"],
  ["read_1.order_items", "after insert"],
  ["read_1.order_events", "before insert"],
  ["cdc.outbox", "before insert"],
  ["read_1.sales_by_quarter_hour", "before insert"],
  ["read_1.customer_totals", "before insert"],
  ["read_1.customer_totals", "after insert"],
] as const

test("applies all or nothing, whichever statement its connection ends at", async () => {
  const trial = await startTrial(system, { customers: 1 })
  const points = [
    ...statements.map(([table, event]) => ({
      table,
      trigger: `create trigger fault ${event} on ${table} execute function fault.end_connection()`,
    })),
    {
      table: "cdc.progress",
      trigger: `create constraint trigger fault after update on cdc.progress deferrable initially deferred
                for each row execute function fault.end_connection()`,
    },
  ]
  for (const { table, trigger } of points) {
    await system.reads.query("alter sequence fault.passages restart")
    await system.reads.query(trigger)
    const order = await client.placeOrder(3)
    await client.command("PATCH", "/customers/customer-123", { name: `Name at ${table}` })
    await client.command("POST", `${order}/cancel`, { reason: "fault" })
    await waitFor(async () => {
      const { rows } = await system.reads.query("select is_called from fault.passages")
      return rows[0]?.is_called
    }, `the connection has ended at ${trigger}`)
    await waitFor(
      async () => (await client.read(order)).body.status === "cancelled",
      `the read side has recovered from ${trigger}`,
    )
    await system.reads.query(`drop trigger fault on ${table}`)
  }
  expect(await trial.conclude()).toEqual(kept)
})

test("goes on exactly where it was, however often the process is killed", async () => {
  const rounds = Number(process.env.KILLS ?? 6 * times)
  const trial = await startTrial(system, { writers: 1 })
  let started = 0
  for (let round = 0; round < rounds; round++) {
    await waitFor(
      () => system.query.logs.slice(started).some(({ msg }) => msg === "following the commit log"),
      "it follows",
    )
    // Killed at any moment.
    await sleep(trial.random.below(400))
    await system.query.kill()
    started = system.query.logs.length
    await system.query.start()
  }
  expect(await trial.conclude()).toEqual(kept)
})
