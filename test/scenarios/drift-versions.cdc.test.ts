// SCENARIOS row 17: the source's tables change while it is written to. A version of the query service that fits the
// new form is deployed while records of the old form are on their way, and the connector itself is behind or refused.
import { expect, test } from "vitest"
import { bigint, type Column, jsonb, longText } from "../../query/cdc/projection/columns.ts"
import type { Projections } from "../../query/cdc/projection/projection.ts"
import { loadConfig } from "../../query/config.ts"
import { orderProjections } from "../../query/orders/projections.ts"
import { start } from "../../query/start.ts"
import { readEndpoints } from "../stack/endpoints.ts"
import { waitFor } from "../support/wait.ts"
import { givenDriftingSource } from "./given/drifting-source.ts"
import { waitForHalt } from "./given/halts.ts"

const source = givenDriftingSource("drift_versions")
const { system, client, connect, id, run, generation, differences, touchOrder, touchItem } = source

/** A query service of another version, in this process. */
const deploy = (projections: Projections) =>
  start(loadConfig({ ...system.queryEnvironment, QUERY_PORT: "0", LOG_LEVEL: "silent" }), projections)

/** The same projections with some columns of a table put in place of others of the same place. */
function withColumns(version: string, table: string, replace: Record<string, Column>): Projections {
  return {
    ...orderProjections,
    version,
    tables: orderProjections.tables.map((one) =>
      one.name === table
        ? { ...one, columns: one.columns.map((column) => replace[column.name] ?? column) }
        : one,
    ),
  }
}

test("goes on where it stood when a version that does not fit is replaced by one that does", async () => {
  const { generation: before } = await generation()
  await system.query.kill()
  const broken = await deploy(withColumns(orderProjections.version, "orders", { note: jsonb("note") }))
  try {
    await run(touchItem(), touchOrder(), touchItem())
    expect((await waitForHalt(system)).reason).toMatch(/column note is string, not jsonb/)
  } finally {
    await broken.stop()
  }
  await system.query.start()
  expect(await differences()).toEqual([])
  expect((await generation()).generation).toBe(before)
})

test("a deployed version follows a rename, with changes of the old form still on their way", async () => {
  const { generation: before } = await generation()
  await connect.stop(system.connectorName)
  await waitFor(async () => !(await isCapturing()), "the connector has stopped")
  await run(
    touchOrder(),
    "alter table orders rename column cancel_reason to withdrawal",
    `update orders set withdrawal = 'after the rename' where id = '${id()}'`,
    "alter table order_items alter column quantity type bigint",
    touchItem(),
  )
  await system.query.kill()
  await connect.resume(system.connectorName)
  const renamed = withColumns("2", "orders", { cancel_reason: longText("withdrawal") })
  const deployed: Projections = {
    ...renamed,
    tables: renamed.tables.map((table) =>
      table.name === "order_items" ? withQuantity(table, bigint("quantity")) : table,
    ),
  }
  const service = await deploy(deployed)
  try {
    await waitFor(async () => (await generation()).version === "2", "the version's generation serves", 30_000)
    expect((await generation()).generation).toBeGreaterThan(before)
    await run(`update orders set withdrawal = 'later' where id = '${id()}'`, touchItem())
    expect(await differences(deployed)).toEqual([])
  } finally {
    await service.stop()
    await run(
      "alter table orders rename column withdrawal to cancel_reason",
      "alter table order_items alter column quantity type integer",
    )
    await system.query.start()
  }
  await waitFor(
    async () => (await generation()).version === orderProjections.version,
    "the first version is back",
  )
  await run(touchOrder())
  expect(await differences()).toEqual([])
})

test("ends in the true values when a column got its not null while the connector was behind", async () => {
  await connect.stop(system.connectorName)
  await waitFor(async () => !(await isCapturing()), "the connector has stopped")
  await run(
    "alter table products alter column currency drop not null",
    "update products set currency = null where id = 'product-457'",
    "update products set currency = 'EUR' where currency is null",
    "alter table products alter column currency set not null",
  )
  await connect.resume(system.connectorName)
  expect(await differences()).toEqual([])
})

test("the task fails while the registry refuses the schema, readiness says so, and nothing is lost", async () => {
  const rules = new URL(
    `/apis/registry/v2/groups/default/artifacts/${system.topicPrefix}.public.order_items-value/rules`,
    readEndpoints().registryUrl,
  )
  const rule = { type: "COMPATIBILITY", config: "FULL" }
  const set = await fetch(rules, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(rule),
  })
  expect(set.status).toBe(204)
  await run(
    "alter table order_items add column gift text not null default 'none'",
    "alter table order_items alter column gift drop default",
    touchItem(),
  )
  await waitFor(async () => {
    const status = await connect.readStatus(system.connectorName)
    return status?.tasks[0]?.state === "FAILED"
  }, "the task has failed")
  await waitFor(async () => {
    const { body } = await client.read("/readyz", {})
    return JSON.stringify(body).includes("captures nothing")
  }, "readiness says so")
  expect((await fetch(rules, { method: "DELETE" })).status).toBe(204)
  await connect.restartFailed(system.connectorName)
  expect(await differences()).toEqual([])
})

const withQuantity = (table: Projections["tables"][number], quantity: Column) => ({
  ...table,
  columns: table.columns.map((column) => (column.name === "quantity" ? quantity : column)),
})

async function isCapturing(): Promise<boolean> {
  const { rows } = await system.source.query<{ active: boolean }>(
    "select active from pg_replication_slots where slot_name = $1",
    [system.connectorName],
  )
  return rows[0]?.active ?? false
}
