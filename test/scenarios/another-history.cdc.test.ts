// SCENARIOS row 24: what the read side holds and what it is fed do not belong together any more. An older copy of its
// own database just replays; where the topics no longer hold what that needs, it halts. A promoted or replaced source
// halts it by name, also with lower LSNs and clocks behind, and a rebuild begins a new epoch. No model ever stands
// still in silence, and a token is judged by the history that it names.
import pg from "pg"
import { afterAll, beforeAll, expect, test } from "vitest"
import { loadConfig } from "../../command/config.ts"
import * as command from "../../command/start.ts"
import { createConnectClient } from "../../connectors/connect-client.ts"
import { registerConnector } from "../../connectors/register.ts"
import { createDatabase, createPool } from "../../db/connect.ts"
import type { QueryDatabase } from "../../db/query-schema.ts"
import { requestRebuild } from "../../query/cdc/lease/requests.ts"
import { createMirrorViews, findDifferences } from "../chaos/given/invariants.ts"
import { readEndpoints } from "../stack/endpoints.ts"
import { createClient } from "../support/client.ts"
import { rebuild } from "../support/rebuild.ts"
import { createServiceProcess } from "../support/service-process.ts"
import { waitFor } from "../support/wait.ts"
import { waitForHalt } from "./given/halts.ts"
import { createOtherCluster, type OtherCluster } from "./given/other-cluster.ts"
import { givenScenario } from "./given/scenario.ts"

const { connectUrl, queryDatabaseUrl } = readEndpoints()
const { system, client, topics } = givenScenario("another_history")
let other: OtherCluster | undefined
const closers: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  await createMirrorViews(system.source)
})

afterAll(async () => {
  for (const close of closers.reverse()) await close()
  await other?.close()
})

/** Runs statements against the query cluster while nobody is connected to the read side's database. */
async function withDatabaseAtRest(statements: (database: string) => string[]): Promise<void> {
  const database = new URL(system.queryEnvironment.READER_DATABASE_URL ?? "").pathname.slice(1)
  const url = new URL(queryDatabaseUrl)
  url.pathname = "/postgres"
  const admin = new pg.Client({ connectionString: url.href })
  await admin.connect()
  try {
    await admin.query("select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = $1", [
      database,
    ])
    for (const statement of statements(database)) await admin.query(statement)
  } finally {
    await admin.end()
  }
}

async function backUp(): Promise<void> {
  await system.query.kill()
  await withDatabaseAtRest((database) => [`create database ${database}_backup template ${database}`])
  await system.query.start()
}

async function restore(): Promise<void> {
  await system.query.kill()
  await withDatabaseAtRest((database) => [
    `drop database ${database}`,
    `alter database ${database}_backup rename to ${database}`,
    `grant create on database ${database} to projector`,
  ])
  await system.query.start()
}

async function expectEqual(source = system.source): Promise<void> {
  expect(await findDifferences(source, system.reads, await system.liveSchema())).toEqual([])
}

test("replays to equality when its own database is restored from an older copy", async () => {
  const order = await client.placeOrder()
  await client.read(order)
  await backUp()
  const later = await client.placeOrder()
  await client.command("PATCH", order, { note: "after the backup" })
  expect((await client.read(order)).body).toMatchObject({ version: 2 })
  await client.read(later)

  await restore()
  expect((await client.read(order)).body).toMatchObject({ version: 2, note: "after the backup" })
  expect((await client.read(later)).status).toBe(200)
  await system.caughtUp()
  await expectEqual()
})

test("halts when the topics no longer hold what an older copy needs", async () => {
  await backUp()
  const order = await client.placeOrder()
  await client.read(order)
  const topic = `${system.topicPrefix}.public.orders`
  const ends = [...(await topics.ranges([topic]))].map(([key, { high }]) => [key, high] as const)
  await topics.expire(new Map(ends))

  await restore()
  const halt = await waitForHalt(system)
  expect(halt.detail.code).toBe("history-truncated")
  expect(halt.next_step).toContain("rebuild from a snapshot")
  await rebuild(system)
  expect((await client.read(order)).status).toBe(200)
  await system.caughtUp()
  await expectEqual()
})

test("halts when the source was promoted, however far behind the new server's clock is", async () => {
  const order = await client.placeOrder()
  await client.read(order)
  await system.source.query(
    "update cdc_heartbeat set timeline = timeline + 1, beat_at = beat_at - interval '1 day'",
  )
  const halt = await waitForHalt(system)
  expect(halt.detail).toMatchObject({ code: "source-changed" })
  expect(halt.reason).toMatch(/another one: system \d+ timeline 2, not \d+ timeline 1/)
  expect(halt.next_step).toContain("npx lockstep projection rebuild")
  await rebuild(system)
  expect((await client.read(await client.placeOrder())).status).toBe(200)
})

test("halts when another cluster takes the source's place, and a rebuild begins a new epoch", async () => {
  const before = await client.command("POST", "/customers", { email: "before@example.com", name: "Before" })
  const oldToken = String(before.headers.get("consistency-token"))
  const path = String(before.headers.get("location"))
  const shown = await client.read(path)
  expect(shown.headers.get("read-epoch")).toBe("1")

  other = await createOtherCluster()
  const source = createPool({ url: other.adminUrl, applicationName: "test" })
  closers.push(() => source.end())
  await createMirrorViews(source)
  const service = await command.start(
    loadConfig({ ...system.commandEnvironment, COMMAND_DATABASE_URL: other.urlAs("command_app") }),
  )
  closers.push(service.stop)
  const query = createServiceProcess("query", {
    ...system.queryEnvironment,
    SOURCE_DATABASE_URL: other.urlAs("base_loader"),
  })
  closers.push(query.kill)
  const newClient = createClient(service.url, query.url)
  const placed = await newClient.placeOrder()
  const { rows } = await source.query<{ lsn: bigint }>(
    "select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint as lsn",
  )
  const position = await system.reads.query<{ position: bigint }>(
    "select max(position) as position from cdc.progress",
  )
  expect(rows[0]?.lsn).toBeLessThan(position.rows[0]?.position ?? 0n)

  const connect = createConnectClient({ url: connectUrl })
  await connect.stop(system.connectorName)
  await connect.deleteOffsets(system.connectorName)
  await registerConnector({
    ...system.registration,
    adminUrl: other.adminUrl,
    databaseName: other.databaseName,
    overrides: { "database.hostname": "127.0.0.1", "database.port": String(other.port) },
  })
  const halt = await waitForHalt(system)
  expect(halt.detail).toMatchObject({ code: "source-changed" })

  // A load from the former source would begin in a history that is not captured any more.
  await requestRebuild(createDatabase<QueryDatabase>(system.reads), system.connectorName, "test")
  await waitFor(
    async () => {
      const { body } = await client.read("/readyz", {})
      return JSON.stringify(body).includes("The load waits until the connector captures that database")
    },
    "readiness says what the load waits for",
    30_000,
  )
  expect((await client.read(path, {})).body).toEqual(shown.body)

  await system.query.kill()
  await query.start()
  await waitFor(
    async () => (await newClient.read("/orders?limit=1", {})).headers.get("read-epoch") === "2",
    "the rebuild is done",
    30_000,
  )
  const current = await newClient.read(placed)
  expect(current.status, current.text).toBe(200)
  expect((await newClient.read(path, {})).status).toBe(404)
  const refused = await newClient.read(placed, { "Consistency-Token": oldToken })
  expect(refused.body.type).toBe("urn:lockstep:problem:token-of-another-epoch")
  await newClient.command("PATCH", placed, { note: "in the new epoch" })
  expect((await newClient.read(placed)).body).toMatchObject({ version: 2 })
  await expectEqual(source)
  await waitFor(async () => (await newClient.read("/readyz", {})).status === 200, "readiness is green")
})
