// SCENARIOS row 17: the source's tables change while it is written to. What the projections do not read may come and
// go, and a column that they can still read exactly may take another form: the projector goes on. The table in
// connectors/README.md ("What a schema change does") has a row for each case here and in the other tests of drift.
import { expect, test } from "vitest"
import type { Difference } from "../chaos/given/invariants.ts"
import { givenDriftingSource } from "./given/drifting-source.ts"

const source = givenDriftingSource("drift")
const { system, client, topics, order, id, run, generation, differences, startWrites } = source
const { touchOrder, touchPayment, touchItem } = source

const goesOn: { name: string; statements: () => string[]; back?: string[] }[] = [
  {
    name: "a column is added that may be null",
    statements: () => ["alter table orders add column colour text", touchOrder()],
  },
  {
    name: "a column is added with a default for all rows",
    statements: () => [
      "alter table orders add column grade integer not null default 7",
      touchOrder(),
      "alter table orders add column token uuid not null default gen_random_uuid()",
      touchOrder(),
    ],
  },
  {
    name: "a column that nobody reads is renamed, retyped and dropped",
    statements: () => [
      "alter table orders rename column grade to rank",
      touchOrder(),
      "alter table orders alter column rank type text",
      touchOrder(),
      "alter table orders drop column rank, drop column token, drop column colour",
      touchOrder(),
    ],
  },
  {
    name: "a default changes",
    statements: () => [
      "alter table orders alter column total_minor set default 5",
      touchOrder(),
      "alter table orders alter column total_minor drop default",
      touchOrder(),
    ],
    back: ["alter table orders alter column total_minor set default 0"],
  },
  {
    name: "a column without a default loses its not null, and gets it back",
    statements: () => [
      "alter table products alter column currency drop not null",
      "update products set currency = null where id = 'product-457'",
    ],
    back: [
      "update products set currency = 'USD' where currency is null",
      "alter table products alter column currency set not null",
    ],
  },
  {
    name: "text becomes varchar and text again",
    statements: () => [
      "alter table orders alter column note type varchar(400)",
      touchOrder(),
      "alter table orders alter column note type text",
      touchOrder(),
    ],
  },
  {
    name: "text becomes an enum that gets another value",
    statements: () => [
      "create type payment_state as enum ('captured', 'failed')",
      "alter table payments alter column status type payment_state using status::payment_state",
      touchPayment(),
      "alter type payment_state add value 'reversed'",
      `update payments set status = 'reversed' where order_id = '${id()}' and payment = 2`,
    ],
    back: ["alter table payments alter column status type text"],
  },
  {
    name: "bigint becomes integer, and bigint again",
    statements: () => [
      "alter table order_items alter column unit_price_minor type integer",
      touchItem(),
      "alter table order_items alter column unit_price_minor type bigint",
      touchItem(),
    ],
  },
  {
    name: "the columns change their order",
    statements: () => [
      `begin; alter table orders add column moved text; update orders set moved = note;
       alter table orders drop column note; alter table orders rename column moved to note; commit`,
      touchOrder(),
    ],
  },
  {
    name: "a table changes between two changes of one transaction",
    statements: () => [
      `begin; ${touchItem()}; alter table order_items add column gift boolean default false; ${touchItem()};
       alter table order_items drop column gift; ${touchItem()}; commit`,
    ],
  },
  {
    name: "a table is new, captured by nobody, published or not, and written in one transaction with others",
    statements: () => [
      "create table wishes (id integer primary key)",
      `begin; insert into wishes values (1); ${touchOrder()}; commit`,
      "alter publication lockstep add table wishes",
      `begin; insert into wishes values (2); ${touchOrder()}; commit`,
    ],
    back: ["drop table wishes"],
  },
]

test.each(goesOn)("goes on when $name", async ({ statements, back = [] }) => {
  const before = await generation()
  const writes = startWrites()
  try {
    await run(...statements())
    expect(await differencesWhile(writes)).toEqual([])
  } finally {
    await writes.stop()
    await run(...back)
  }
  expect(await differences()).toEqual([])
  expect(await generation()).toEqual(before)
})

async function differencesWhile(writes: { stop: () => Promise<number> }): Promise<Difference[]> {
  expect(await writes.stop()).toBeGreaterThan(0)
  return await differences()
}

test("shows and counts an order in a status that it does not know", async () => {
  await run(
    "alter table orders drop constraint orders_status_check",
    `update orders set status = 'on_hold' where id = '${id()}'`,
  )
  expect(await differences()).toEqual([])
  expect((await client.read(order(), {})).body).toMatchObject({ status: "on_hold" })
  expect((await client.read("/orders", {})).text).toContain('"status":"on_hold"')
  expect((await client.read("/analytics/orders?period=monthly", {})).text).toMatch(/"orders":1,"items":\d/)
  const filtered = await client.read("/orders?status=on_hold", {})
  expect(filtered.status).toBe(400)
  expect(filtered.body.type).toBe("urn:lockstep:problem:invalid-request")
  await run(`update orders set status = 'draft' where id = '${id()}'`)
})

test("passes over records of the old form that are sent again after newer ones", async () => {
  await run(touchOrder(), "alter table orders add column colour text", touchOrder())
  await system.caughtUp()
  const all = await topics.readAll([`${system.topicPrefix}.public.orders`])
  await topics.write(all.slice(-6, -1))
  await run(touchOrder())
  expect(await differences()).toEqual([])
  await run("alter table orders drop column colour")
})
