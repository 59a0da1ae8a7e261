// Bad records and bad rows among good ones (SCENARIOS rows 9, 12, 18, 20, 21): what cannot be applied is parked, all
// else goes on, answers say what they lack, the dead letters are exactly what was put in, and once the fault is mended
// a redrive makes both sides equal. Newer state is never overwritten by a redriven change.
// One file: the later tests look at the dead letters that the earlier left.
import { describe, expect, test } from "vitest"
import { readEndpoints } from "../stack/endpoints.ts"
import { openedForFile } from "../support/opened.ts"
import type { TopicRecord } from "../support/topics.ts"
import { waitFor } from "../support/wait.ts"
import { lockstep } from "./given/lockstep.ts"
import { openRegistryGate } from "./given/registry-gate.ts"
import { givenScenario } from "./given/scenario.ts"

const registry = openedForFile(
  () => openRegistryGate(readEndpoints().registryUrl),
  (gate) => gate.close(),
)
const { system, client, topics, differences } = givenScenario("dead_letters", {
  queryEnvironment: () => ({ SCHEMA_REGISTRY_URL: registry().url, DEAD_LETTER_LIMIT: "40" }),
})

type Entry = { id: string; table: string; key: string[] | null; code: string; message: string }

async function parked(): Promise<Entry[]> {
  const { rows } = await system.reads.query<Entry>(
    `select id::text, table_name as table, row_key as key, code, message from cdc.dead_letters
     where state = 'parked' order by id`,
  )
  return rows
}

/** Whether the projector will begin behind all that the topic holds. */
async function isPassed(topic: string): Promise<boolean> {
  const { rows } = await system.reads.query<{ partition: string; next: string }>(
    "select topic || '/' || partition as partition, next_offset::text as next from cdc.resume_offsets where topic = $1",
    [topic],
  )
  const next = new Map(rows.map((row) => [row.partition, BigInt(row.next)]))
  const ranges = await topics.ranges([topic])
  return [...ranges].every(([partition, { high }]) => (next.get(partition) ?? 0n) === high)
}

/** Refuses rows of a read-model table for which `condition` holds, until it is mended. */
async function refuse(table: string, condition: string): Promise<() => Promise<void>> {
  const name = `${await system.liveSchema()}.${table}`
  await system.reads.query(`
    create or replace function refuse() returns trigger language plpgsql as
    $$ begin raise exception 'the row with note "%" is refused', new.${table === "orders" ? "note" : "name"}; end $$;
    create trigger refuse before insert or update on ${name} for each row when (${condition})
    execute function refuse()`)
  return async () => {
    await system.reads.query(`drop trigger refuse on ${name}`)
  }
}

const idOf = (order: string): string => order.slice("/orders/".length)

test("passes by records that are no row changes, and parks each of them once", async () => {
  const order = await client.placeOrder()
  await system.caughtUp()
  const topic = `${system.topicPrefix}.public.orders`
  const [real] = await topics.readAll([topic])
  if (!real?.value) throw new Error("there is no record to spoil")
  const bad: Record<string, Buffer | null> = {
    "a tombstone": null,
    "an empty value": Buffer.alloc(0),
    "another magic byte": Buffer.concat([Buffer.of(7), real.value.subarray(1)]),
    "a schema that nobody knows": Buffer.concat([
      Buffer.of(0, 0x7f, 0xff, 0xff, 0xff),
      real.value.subarray(5),
    ]),
    "a frame cut off": real.value.subarray(0, 40),
    "plain JSON": Buffer.from('{"op":"c","after":{"id":"x"}}'),
  }
  const records = Object.values(bad).map(
    (value): TopicRecord => ({
      topic,
      partition: real.partition,
      key: real.key,
      value,
      headers: real.headers,
    }),
  )
  const json = { topic, partition: real.partition, value: Buffer.from("{}"), headers: {} }
  await topics.write([...records, { ...json, key: Buffer.from("nobody") }])
  await client.command("PATCH", order, { note: "after the garbage" })
  expect((await client.read(order)).body).toMatchObject({ note: "after the garbage" })
  const other = await client.placeOrder()
  expect((await client.read(other)).status).toBe(200)
  await waitFor(async () => (await parked()).length >= 6, "all are parked")
  const entries = await parked()
  expect(entries.map(({ code }) => code).sort()).toEqual([
    "undecodable-record",
    "undecodable-record",
    "undecodable-record",
    "undecodable-record",
    "undecodable-record",
    "unknown-schema",
  ])
  expect(entries.filter(({ key }) => key === null)).toHaveLength(1)
  // Five name a real order, and of one it is not known which row it was.
  const [named] = entries.flatMap(({ key }) => key ?? [])
  expect((await client.read(`/orders/${named}`, {})).headers.get("read-incomplete")).toBe("6")
  expect((await client.read(other)).headers.get("read-incomplete")).toBe("1")
  expect((await client.read("/readyz", {})).status).toBe(200)
  expect(await differences()).toEqual([])

  await system.query.kill()
  await system.query.start()
  await client.command("PATCH", order, { note: "after the restart" })
  expect((await client.read(order)).body).toMatchObject({ note: "after the restart" })
  expect(await parked()).toEqual(entries)

  expect((await lockstep(system, "dlq", "discard", "--all")).code).toBe(2)
  expect((await parked()).length).toBe(6)
  const discarded = await lockstep(system, "dlq", "discard", "--all", "--yes")
  expect(discarded).toMatchObject({ code: 0, out: expect.stringContaining("6 discarded") })
  expect(await parked()).toEqual([])
  expect((await client.read(other)).headers.get("read-incomplete")).toBeNull()
})

test("lets records of an unknown schema account for the rows of their transactions, and redrives them", async () => {
  const before = await client.command("POST", "/customers", { name: "Before", email: "before@example.com" })
  expect(before.status).toBe(201)
  await system.caughtUp()
  const customers = `${system.topicPrefix}.public.customers`
  // Read again, it could stand for a row too: nothing readable follows in its partition that would tell.
  await waitFor(() => isPassed(customers), "it will not be read again")
  registry().forget(customers)
  await system.query.kill()
  await system.query.start()
  const hidden = await client.command("POST", "/customers", { name: "Hidden", email: "hidden@example.com" })
  const path = String(hidden.headers.get("location"))
  await client.command("PATCH", path, { name: "Hidden twice" })
  const order = await client.placeOrder()
  // Commit order holds: this answer waits for the transactions before it, which lack their only rows.
  expect((await client.read(order)).status).toBe(200)
  const missing = await client.read(path)
  expect(missing.status).toBe(404)
  expect(missing.headers.get("read-incomplete")).not.toBeNull()
  await waitFor(async () => (await parked()).length === 2, "the two changes are parked, and nothing else")
  const entries = await parked()
  expect(entries.map(({ table, code }) => `${table} ${code}`)).toEqual([
    "customers unknown-schema",
    "customers unknown-schema",
  ])
  const still = await lockstep(system, "dlq", "redrive", "--all", "--dry-run")
  expect(still).toMatchObject({ code: 3, out: expect.stringContaining("2 failed") })

  registry().forget(null)
  const rehearsed = await lockstep(system, "dlq", "redrive", "--all", "--dry-run", "--json")
  expect(rehearsed.code).toBe(0)
  expect(JSON.parse(rehearsed.out)).toMatchObject({ total: 2, applied: 2, failed: 0 })
  expect(rehearsed.out).not.toContain("Hidden")
  expect((await parked()).length).toBe(2)
  const redriven = await lockstep(system, "dlq", "redrive", "--code", "unknown-schema")
  expect(redriven).toMatchObject({ code: 0, out: expect.stringContaining("2 applied") })
  expect((await client.read(path)).body).toMatchObject({ name: "Hidden twice" })
  expect((await client.read(path)).headers.get("read-incomplete")).toBeNull()
  expect(await differences()).toEqual([])
})

describe("a row that Postgres refuses", () => {
  test("is isolated from its transaction and its batch, and redriven", async () => {
    const [good, bad] = [await client.placeOrder(), await client.placeOrder(2)]
    await system.caughtUp()
    const mend = await refuse("orders", `new.note = 'poison' and new.id = '${idOf(bad)}'`)
    await system.source.query(
      `with touched as (update orders set note = case id when $2 then 'poison' else 'fine' end where id in ($1, $2) returning id)
       update order_items set quantity = quantity + 1 where order_id in (select id from touched)`,
      [idOf(good), idOf(bad)],
    )
    await system.caughtUp()
    expect((await client.read(good, {})).body).toMatchObject({ note: "fine", items: [{ quantity: 2 }] })
    const lacking = await client.read(bad, {})
    expect(lacking.body).toMatchObject({ note: null, items: [{ quantity: 3 }] })
    expect(lacking.headers.get("read-incomplete")).toBe("1")
    expect((await client.read(good, {})).headers.get("read-incomplete")).toBeNull()
    const entries = await parked()
    expect(entries).toMatchObject([{ table: "orders", key: [idOf(bad)], code: "bad-row" }])
    const listed = await lockstep(system, "dlq", "list", "--table", "orders", "--json")
    expect(listed.code).toBe(0)
    expect(JSON.parse(listed.out)).toMatchObject({
      total: 1,
      entries: [{ id: entries[0]?.id, key: [idOf(bad)] }],
    })
    expect(listed.out).not.toContain("poison")
    const shown = await lockstep(system, "dlq", "show", String(entries[0]?.id))
    expect(shown.out).not.toContain("poison")
    const revealed = await lockstep(system, "dlq", "show", String(entries[0]?.id), "--reveal")
    expect(revealed.out).toContain("poison")
    const { rows } = await system.reads.query("select action from cdc.operator_actions order by id")
    expect(rows.at(-1)).toEqual({ action: "reveal" })
    expect(await lockstep(system, "dlq", "redrive", "--all")).toMatchObject({ code: 3 })
    await mend()
    const redriven = await lockstep(system, "dlq", "redrive", "--aggregate", idOf(bad))
    expect(redriven).toMatchObject({ code: 0, out: expect.stringContaining("1 applied") })
    expect(await differences()).toEqual([])
  })

  test("stays behind newer state when it is redriven late, also behind a delete", async () => {
    const [changed, removed] = [await client.placeOrder(), await client.placeOrder()]
    await system.caughtUp()
    const mend = await refuse("orders", "new.note = 'poison'")
    for (const order of [changed, removed]) await client.command("PATCH", order, { note: "poison" })
    await system.caughtUp()
    await client.command("PATCH", changed, { note: "newer" })
    await system.source.query(
      `with i as (delete from order_items where order_id = $1), e as (delete from order_events where order_id = $1)
       delete from orders where id = $1`,
      [idOf(removed)],
    )
    await system.caughtUp()
    await mend()
    expect((await parked()).length).toBe(2)
    const redriven = await lockstep(system, "dlq", "redrive", "--all")
    expect(redriven).toMatchObject({ code: 0, out: expect.stringContaining("2 superseded") })
    expect((await client.read(changed)).body).toMatchObject({ note: "newer" })
    expect((await client.read(removed)).status).toBe(404)
    expect(await differences()).toEqual([])
  })

  test("puts in a large value that every later change left alone, and none that one replaced", async () => {
    const [left, replaced] = [await client.placeOrder(), await client.placeOrder()]
    await system.caughtUp()
    const mend = await refuse("orders", "length(new.note) > 5000")
    const large = (seed: string) => Array.from({ length: 900 }, (_, i) => `${seed}${i * 7919}`).join(" ")
    const note = "update orders set note = $2 where id = $1"
    await system.source.query(note, [idOf(left), large("left")])
    await system.source.query(note, [idOf(replaced), large("replaced")])
    await system.caughtUp()
    expect(await parked()).toHaveLength(2)
    await system.source.query("update orders set version = version + 1 where id = any($1)", [
      [idOf(left), idOf(replaced)],
    ])
    await client.command("PATCH", replaced, { note: "short" })
    await system.source.query("update orders set version = version + 1 where id = $1", [idOf(replaced)])
    await system.caughtUp()
    await mend()
    const redriven = await lockstep(system, "dlq", "redrive", "--all", "--json")
    expect(JSON.parse(redriven.out)).toMatchObject({ merged: 1, superseded: 1, failed: 0 })
    expect((await client.read(left)).body.note).toBe(large("left"))
    expect((await client.read(replaced)).body.note).toBe("short")
    expect(await differences()).toEqual([])
  })

  test("is parked together with the rest of its batch or not at all, when the projector is killed inside", async () => {
    const order = await client.placeOrder()
    await system.caughtUp()
    const mend = await refuse("orders", "new.note = 'poison'")
    const schema = await system.liveSchema()
    const lock = await system.reads.connect()
    await lock.query("begin")
    await lock.query(`select from ${schema}.order_items where order_id = $1 for update`, [idOf(order)])
    await system.source.query(
      `with o as (update orders set note = 'poison' where id = $1)
       update order_items set quantity = 9 where order_id = $1`,
      [idOf(order)],
    )
    await waitFor(async () => {
      const { rows } = await system.reads.query(
        "select from pg_stat_activity where application_name like 'projector %' and wait_event_type = 'Lock'",
      )
      return rows.length > 0
    }, "the projector is inside the batch")
    await system.query.kill()
    await lock.query("rollback")
    lock.release()
    expect((await client.read(order, {}).catch(() => null))?.body).toBeUndefined()
    expect(await parked()).toEqual([])
    await system.query.start()
    await system.caughtUp()
    expect((await client.read(order, {})).body).toMatchObject({ note: null, items: [{ quantity: 9 }] })
    expect(await parked()).toMatchObject([{ table: "orders", key: [idOf(order)] }])
    await mend()
    expect((await lockstep(system, "dlq", "redrive", "--all")).code).toBe(0)
    expect(await differences()).toEqual([])
  })
})

test("shows parked records in the topic of dead letters, with their origin and without personal data", async () => {
  const topic = `${system.topicPrefix}.dead-letters`
  const { rows } = await system.reads.query<{ count: number }>(
    "select count(*)::integer as count from cdc.dead_letters",
  )
  await waitFor(async () => {
    const unpublished = await system.reads.query("select from cdc.dead_letters where published_at is null")
    return unpublished.rows.length === 0
  }, "all are published")
  const records = await topics.readAll([topic])
  expect(records).toHaveLength(rows[0]?.count ?? -1)
  const headers = records.map(({ headers: named }) =>
    Object.fromEntries(Object.entries(named).map(([name, value]) => [name, value?.toString()])),
  )
  expect(headers[0]).toMatchObject({
    "lockstep.source": system.connectorName,
    "lockstep.origin.topic": `${system.topicPrefix}.public.orders`,
    "lockstep.origin.partition": expect.stringMatching(/^\d+$/),
    "lockstep.origin.offset": expect.stringMatching(/^\d+$/),
    "lockstep.error.code": "undecodable-record",
  })
  expect(JSON.stringify(headers)).not.toMatch(/poison|Hidden|example\.com/)
})

test("goes on while the topic of dead letters takes nothing, and publishes later", async () => {
  const topic = `${system.topicPrefix}.dead-letters`
  const bad = { topic: `${system.topicPrefix}.public.orders`, partition: 1, key: null, headers: {} }
  const before = await topics.length(topic)
  await topics.configure(topic, "max.message.bytes", "100")
  await topics.write([{ ...bad, value: Buffer.alloc(500, "x") }])
  const order = await client.placeOrder()
  expect((await client.read(order)).status).toBe(200)
  await waitFor(
    () => system.query.logs.some(({ msg }) => String(msg).startsWith("dead letters could not be published")),
    "publishing fails",
  )
  expect(await parked()).toHaveLength(1)
  await client.command("PATCH", order, { note: "goes on" })
  expect((await client.read(order)).body).toMatchObject({ note: "goes on" })
  expect(await topics.length(topic)).toBe(before)

  await topics.configure(topic, "max.message.bytes", "1000000")
  await waitFor(async () => (await topics.length(topic)) === before + 1, "it is published", 30_000)
  expect((await lockstep(system, "dlq", "discard", "--all", "--yes")).code).toBe(0)
})

test("halts when too many are parked, and goes on when they are discarded", async () => {
  const topic = `${system.topicPrefix}.public.orders`
  const bad = Array.from({ length: 41 }, () => ({
    topic,
    partition: 0,
    key: null,
    value: Buffer.from("nothing"),
    headers: {},
  }))
  await topics.write(bad.slice(0, 40))
  await waitFor(async () => (await parked()).length === 40, "40 are parked")
  const order = await client.placeOrder()
  expect((await client.read(order)).status).toBe(200)
  await topics.write(bad.slice(40))
  await waitFor(async () => {
    const { rows } = await system.reads.query(
      "select from cdc.projector_status where state = 'halted' and detail->>'code' = 'too-many-dead-letters'",
    )
    return rows.length > 0
  }, "the projector has halted")
  expect((await client.read("/readyz", {})).status).toBe(503)
  expect((await lockstep(system, "dlq", "discard", "--all", "--yes")).code).toBe(0)
  await client.command("PATCH", order, { note: "goes on" })
  expect((await client.read(order)).body).toMatchObject({ note: "goes on" })
  // It belongs to no transaction, and may be read after the order's, which is in another partition.
  await waitFor(async () => (await parked()).length === 1, "what halted it is parked")
  expect(await differences()).toEqual([])
})
