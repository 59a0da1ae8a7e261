// Registration on the real Connect: what it makes, leaves alone, puts right and refuses.
// One file: it is one command, told by what it finds.
import kafkajs from "kafkajs"
import pg from "pg"
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest"
import { createConnectClient } from "../../connectors/connect-client.ts"
import { ConnectorNotRunning, RegistrationRefused } from "../../connectors/refusal.ts"
import { registerConnector } from "../../connectors/register.ts"
import { readCaptureStatus } from "../../connectors/status.ts"
import { readEndpoints } from "../stack/endpoints.ts"
import { registrationOf } from "../support/capturing.ts"
import { createCommandDatabase, type TestDatabase, uniqueName } from "../support/databases.ts"

const endpoints = readEndpoints()
const connect = createConnectClient({ url: endpoints.connectUrl })
const kafka = new kafkajs.Kafka({
  brokers: [endpoints.kafkaBrokers],
  logLevel: kafkajs.logLevel.NOTHING,
})
const admin = kafka.admin()

let database: TestDatabase
let client: pg.Client
let registered: string[] = []

beforeAll(async () => {
  database = await createCommandDatabase("register")
  client = new pg.Client({ connectionString: database.adminUrl })
  await client.connect()
  await admin.connect()
})

afterEach(async () => {
  for (const name of registered) await forget(name)
  registered = []
})

afterAll(async () => {
  await admin?.disconnect()
  await client?.end()
  await database?.drop()
})

/** Options of a registration that disturbs nobody: connector, prefix and slot share one name. */
function fresh() {
  const name = uniqueName("reg")
  registered.push(name)
  return {
    name,
    ...registrationOf(name, database),
    timeLimitMs: 60_000,
  }
}

async function forget(name: string): Promise<void> {
  if ((await connect.readSettings(name)) !== null) {
    await connect.stop(name)
    await connect.deleteOffsets(name)
    await connect.remove(name)
  }
  await vi.waitFor(() => dropSlot(name), { timeout: 15_000 })
  const topics = (await admin.listTopics()).filter((topic) => topic.includes(name))
  if (topics.length > 0) await admin.deleteTopics({ topics })
}

const dropSlot = (name: string) =>
  client.query("select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1", [
    name,
  ])

/** Stopping is asked for and then takes its time. */
async function stop(name: string): Promise<void> {
  await connect.stop(name)
  await vi.waitFor(
    async () => {
      expect((await connect.readStatus(name))?.connector.state).toBe("STOPPED")
      const { rows } = await client.query("select active from pg_replication_slots where slot_name = $1", [
        name,
      ])
      expect(rows).not.toContainEqual({ active: true })
    },
    { timeout: 15_000 },
  )
}

const waitForOffsets = (name: string) =>
  vi.waitFor(async () => expect(await connect.readOffsets(name)).toHaveLength(1), { timeout: 15_000 })

const waitForTopic = (topic: string) =>
  vi.waitFor(
    async () => expect((await admin.fetchTopicMetadata({ topics: [topic] })).topics).toHaveLength(1),
    {
      timeout: 15_000,
    },
  )

/** What registering is refused with. */
async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => expect.unreachable("it should have failed"),
    (error: unknown) => error,
  )
}

test("a fresh connector captures, and registering again changes nothing", async () => {
  const options = fresh()
  const progress: string[] = []
  const first = await registerConnector({ ...options, onProgress: (message) => progress.push(message) })
  expect(first.outcome).toBe("created")
  expect(first.topics.every(({ outcome }) => outcome === "created")).toBe(true)
  expect(progress.join("\n")).toContain("waiting: ")

  const second = await registerConnector(options)
  expect(second).toMatchObject({ outcome: "unchanged", differences: [] })
  expect(second.topics.every(({ outcome }) => outcome === "unchanged")).toBe(true)

  await waitForOffsets(options.name)
  const status = await readCaptureStatus(options)
  expect(status.faults).toEqual([])
  expect(status).toMatchObject({ healthy: true, publication: { missing: [], extra: [] } })
})

test("heartbeats carry the source's identity, and rows of one order share a partition number", async () => {
  const options = fresh()
  await registerConnector(options)
  await client.query(`
    insert into customers (id, email, name) values ('c1', 'c1@example.com', 'C') on conflict do nothing;
    insert into products (id, name, price_minor, currency) values ('p1', 'P', 100, 'USD') on conflict do nothing;
    insert into orders (id, customer_id, status, currency) values ('o-17', 'c1', 'draft', 'USD');
    insert into order_items (order_id, line, product_id, quantity, unit_price_minor) values ('o-17', 1, 'p1', 1, 100);
    insert into payments (order_id, payment, status, amount_minor, currency, provider)
      values ('o-17', 1, 'authorized', 100, 'USD', 'test');
    insert into order_events (order_id, version, type) values ('o-17', 1, 'OrderCreated')`)
  const partitionsOf = async (table: string) => {
    const offsets = await admin.fetchTopicOffsets(`${options.name}.public.${table}`)
    return offsets.filter(({ high }) => high !== "0").map(({ partition }) => partition)
  }
  const orders = await vi.waitFor(
    async () => {
      const partitions = await partitionsOf("orders")
      expect(partitions).toHaveLength(1)
      return partitions
    },
    { timeout: 20_000 },
  )
  for (const table of ["order_items", "payments", "order_events"]) {
    await vi.waitFor(async () => expect(await partitionsOf(table)).toEqual(orders), { timeout: 20_000 })
  }
  await vi.waitFor(async () => expect(await partitionsOf("cdc_heartbeat")).toEqual([0]), { timeout: 20_000 })
  const { rows } = await client.query(
    `select system_identifier = (select system_identifier::text from pg_control_system()) as same,
            clock_timestamp() - beat_at < '5 s' as fresh from cdc_heartbeat`,
  )
  expect(rows).toEqual([{ same: true, fresh: true }])
})

test("a changed setting is written and shown, with nothing else touched", async () => {
  const options = fresh()
  await registerConnector(options)
  const change = { ...options, overrides: { "poll.interval.ms": "20" } }
  const difference = [{ kind: "changed", setting: "poll.interval.ms", running: "5", wanted: "20" }]

  expect(await registerConnector({ ...change, dryRun: true })).toMatchObject({ differences: difference })
  expect((await connect.readSettings(options.name))?.["poll.interval.ms"]).toBe("5")

  expect(await registerConnector(change)).toMatchObject({ outcome: "updated", differences: difference })
  expect((await connect.readSettings(options.name))?.["poll.interval.ms"]).toBe("20")
})

test("a failing task is reported with its own error, and a corrected registration restarts it", async () => {
  const options = fresh()
  const wrong = { ...options, overrides: { "publication.name": "nowhere" } }
  const failure = await failureOf(registerConnector(wrong))
  expect(failure).toBeInstanceOf(ConnectorNotRunning)
  expect(String(failure)).toMatch(/publication/i)
  expect(String(failure)).not.toMatch(/^\s+at /m)

  const status = await readCaptureStatus(options)
  expect(status.healthy).toBe(false)
  expect(status.faults.join("\n")).toMatch(/Task 0 is FAILED/)
  expect(status.faults.join("\n")).toMatch(/Publication nowhere does not exist/)

  expect((await registerConnector(options)).outcome).toBe("updated")
})

test("new settings that break a running connector are noticed, although it said RUNNING a moment before", async () => {
  const options = fresh()
  await registerConnector(options)
  const broken = { ...options, overrides: { "publication.name": "nowhere" } }
  expect(await failureOf(registerConnector(broken))).toBeInstanceOf(ConnectorNotRunning)
})

test("a slot that exists while Connect has no offsets is refused, and no connector is left behind", async () => {
  const options = fresh()
  await client.query("select pg_create_logical_replication_slot($1, 'pgoutput')", [options.slotName])
  const failure = await failureOf(registerConnector(options))
  expect(failure).toBeInstanceOf(RegistrationRefused)
  expect(String(failure)).toMatch(/no offsets/)
  expect(await connect.readSettings(options.name)).toBeNull()
})

test("offsets whose slot is gone are refused, also when the connector was deleted meanwhile", async () => {
  const options = fresh()
  await registerConnector(options)
  await waitForOffsets(options.name)
  await stop(options.name)
  await vi.waitFor(() => dropSlot(options.name), { timeout: 15_000 })
  expect(String(await failureOf(registerConnector(options)))).toMatch(/slot .* does not exist/)

  await connect.remove(options.name)
  expect(String(await failureOf(registerConnector(options)))).toMatch(/slot .* does not exist/)
  expect(await connect.readSettings(options.name)).toBeNull()
})

test("a stopped connector is started again", async () => {
  const options = fresh()
  await registerConnector(options)
  await waitForOffsets(options.name)
  await stop(options.name)
  expect((await readCaptureStatus(options)).healthy).toBe(false)
  expect((await registerConnector(options)).outcome).toBe("unchanged")
  // The task says that it runs a moment before it reads from its slot.
  await expect.poll(async () => (await readCaptureStatus(options)).faults, { timeout: 15_000 }).toEqual([])
})

test("a captured table that left the publication is named by the status", async () => {
  const options = fresh()
  await registerConnector(options)
  await client.query("alter publication lockstep drop table payments")
  try {
    const status = await readCaptureStatus(options)
    expect(status).toMatchObject({ healthy: false, publication: { missing: ["public.payments"] } })
  } finally {
    await client.query("alter publication lockstep add table payments")
  }
})

test.each([
  {
    name: "a row filter",
    change: [
      "alter publication lockstep drop table payments",
      "alter publication lockstep add table payments where (payment > 1)",
    ],
    back: ["alter publication lockstep drop table payments", "alter publication lockstep add table payments"],
    says: /row filter on public\.payments/,
  },
  {
    name: "a replica identity that is not the primary key",
    change: ["alter table payments replica identity nothing"],
    back: ["alter table payments replica identity default"],
    says: /alter table public\.payments replica identity default/,
  },
])("$name, of which the stream says nothing, is named by the status", async ({ change, back, says }) => {
  const options = fresh()
  await registerConnector(options)
  try {
    for (const statement of change) await client.query(statement)
    const { healthy, faults } = await readCaptureStatus(options)
    expect(healthy).toBe(false)
    expect(faults.join("\n")).toMatch(says)
  } finally {
    for (const statement of back) await client.query(statement)
  }
})

test("a commit log of several partitions is refused before anything is started", async () => {
  const options = fresh()
  await admin.createTopics({
    waitForLeaders: false,
    topics: [{ topic: `${options.name}.transaction`, numPartitions: 6 }],
  })
  await waitForTopic(`${options.name}.transaction`)
  expect(String(await failureOf(registerConnector(options)))).toMatch(/6 partitions where 1 are needed/)
  expect(await connect.readSettings(options.name)).toBeNull()
})

test("a topic with other settings is put right, and keeps what else an operator has set", async () => {
  const options = fresh()
  const topic = `${options.name}.public.orders`
  await admin.createTopics({
    waitForLeaders: false,
    topics: [
      {
        topic,
        numPartitions: 6,
        configEntries: [
          { name: "cleanup.policy", value: "compact" },
          { name: "flush.ms", value: "60000" },
        ],
      },
    ],
  })
  await waitForTopic(topic)
  const { topics } = await registerConnector(options)
  expect(topics.find((result) => result.topic === topic)).toMatchObject({
    outcome: "altered",
    altered: expect.arrayContaining(["cleanup.policy"]),
  })
  const settings = async () => {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }],
    })
    const entries = resources.flatMap(({ configEntries }) => configEntries)
    return ["cleanup.policy", "flush.ms"].map(
      (name) => entries.find(({ configName }) => configName === name)?.configValue,
    )
  }
  // The controller has stored it; a broker learns of it a moment later.
  await expect.poll(settings, { timeout: 10_000 }).toEqual(["delete", "60000"])
})
