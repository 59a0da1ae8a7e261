// What the outbox holds after any history: one event for every source transaction that changed an aggregate, whether it
// recorded one or not, however the history is cut into batches, replayed, parked and redriven, or loaded anew.
// One file: every test reads the same outbox of the same history.
import fc from "fast-check"
import { beforeEach, expect, test } from "vitest"
import { applyOrPark } from "../../../../query/cdc/apply/apply-or-park.ts"
import { applyStaged } from "../../../../query/cdc/apply/staged/apply-staged.ts"
import { toStagedRow } from "../../../../query/cdc/apply/staged/staged-record.ts"
import { createStagedTable, writeStagedRows } from "../../../../query/cdc/apply/staged/staged-rows.ts"
import {
  chooseDeadLetters,
  readUnit,
  settleDeadLetter,
} from "../../../../query/cdc/dead-letters/stored-dead-letter.ts"
import { tellGap } from "../../../../query/cdc/generations/gap-events.ts"
import {
  beginGeneration,
  findLiveGeneration,
  indexGeneration,
} from "../../../../query/cdc/generations/generations.ts"
import { lockProgress } from "../../../../query/cdc/lease/progress.ts"
import { bigint, integer, longText, text, timestamptz } from "../../../../query/cdc/projection/columns.ts"
import type { MirroredTable, Projections } from "../../../../query/cdc/projection/projection.ts"
import { redrive } from "../../../../query/cdc/redrive/redrive.ts"
import type { DataRecord, RawRecord, Transaction } from "../../../../query/cdc/vocabulary/change.ts"
import { choicesFrom, propertyRuns, tapes } from "../../../support/properties.ts"
import { givenGeneration, remove, source, transaction, upsert } from "../given/generation.ts"
import { lsn } from "../given/records.ts"
import { thingProjections, things } from "../given/things.ts"

const facts: MirroredTable = {
  name: "facts",
  key: [text("thing"), integer("number")],
  columns: [longText("type"), timestamptz("at"), longText("secret")],
  indexes: [],
}
const parts: MirroredTable = {
  name: "parts",
  key: [text("thing"), integer("part")],
  columns: [bigint("size")],
  indexes: [],
}
const projections: Projections = {
  ...thingProjections,
  tables: [...thingProjections.tables, facts, parts],
  outbox: {
    topic: "facts",
    recordedIn: "facts",
    recorded: {
      type: "recorded.type",
      occurredAt: "recorded.at",
      traceparent: "null::text",
      data: "jsonb_build_object('number', recorded.number)",
    },
    inferredFrom: ["things", "parts"],
    infer: ({ differences, isWhole }) => ({ type: "Inferred", data: { differences, isWhole } }),
    dataSchema: {},
  },
}

const generation = givenGeneration("outbox", projections)
beforeEach(async () => {
  await generation.admin.query(
    `alter table ${generation.schema}.facts drop constraint if exists refused; truncate cdc.outbox`,
  )
  await generation.empty()
})

const at = "2025-01-01T00:00:00Z"
const thing = (place: number, id: string, amount: number): DataRecord =>
  upsert(things, place, { id, owner: "o", note: "private", amount: BigInt(amount) })
const fact = (place: number, id: string, number: number, type = "Changed"): DataRecord =>
  upsert(facts, place, { thing: id, number, type, at })

type Told = { aggregate: string; number: string; inferred: boolean; type: string }

/** In the sequence in which they are published. */
async function told(): Promise<Told[]> {
  const { rows } = await generation.admin.query<Told>(
    "select aggregate, number, inferred, type from cdc.outbox order by id",
  )
  return rows
}
const names = async (): Promise<string[]> =>
  (await told()).map(({ aggregate, number }) => `${aggregate}/${number}`)
const differences = async (): Promise<unknown[]> =>
  (
    await generation.admin.query(
      "select data -> 'differences' as found from cdc.outbox where inferred order by id",
    )
  ).rows.map(({ found }) => found)

test("every recorded row is an event, in the sequence of history, also where a batch merges several transactions", async () => {
  await generation.apply([
    transaction(10, [thing(1, "b", 1), fact(2, "b", 1, "Made")]),
    transaction(20, [thing(11, "a", 1), fact(12, "a", 1, "Made")]),
    transaction(30, [thing(21, "b", 2), fact(22, "b", 2)]),
  ])
  expect(await told()).toEqual([
    { aggregate: "b", number: "1", inferred: false, type: "Made" },
    { aggregate: "a", number: "1", inferred: false, type: "Made" },
    { aggregate: "b", number: "2", inferred: false, type: "Changed" },
  ])
})

test("a recorded row that is changed later is told once, at its place", async () => {
  await generation.apply([
    transaction(10, [thing(1, "b", 1), fact(2, "b", 1)]),
    transaction(20, [thing(11, "b", 2), fact(12, "b", 2), fact(13, "b", 1)]),
  ])
  await generation.apply([transaction(30, [fact(21, "b", 1)])])
  expect(await names()).toEqual(["b/1", "b/2"])
})

test("transactions that record nothing are told one by one, each with what it did", async () => {
  await generation.apply([
    transaction(10, [thing(1, "a", 1), fact(2, "a", 1)]),
    transaction(20, [thing(11, "a", 2)]),
    transaction(30, [thing(21, "a", 3), fact(22, "a", 2)]),
    transaction(40, [upsert(parts, 31, { thing: "a", part: 7, size: 1n }), thing(32, "z", 1)]),
    transaction(50, [remove(things, 41, "a")]),
  ])
  const place = (at: number) => `inferred-0-${at.toString(16).toUpperCase()}`
  expect(await names()).toEqual([
    "a/1",
    `a/${place(20)}`,
    "a/2",
    `a/${place(40)}`,
    `z/${place(40)}`,
    `a/${place(50)}`,
  ])
  expect(await differences()).toEqual([
    [{ table: "things", key: [], change: "updated", columns: ["amount"] }],
    [{ table: "parts", key: ["7"], change: "inserted", columns: ["size"] }],
    [{ table: "things", key: [], change: "inserted", columns: ["owner", "note", "amount"] }],
    [{ table: "things", key: [], change: "deleted", columns: ["owner", "note", "amount"] }],
  ])
})

test("a transaction that leaves every row as it was is no event", async () => {
  await generation.apply([transaction(10, [thing(1, "a", 1), fact(2, "a", 1)])])
  await generation.apply([transaction(20, [thing(11, "a", 1)])])
  expect(await names()).toEqual(["a/1"])
})

test("of an aggregate with very many rows some are compared, and that is said", async () => {
  const many = Array.from({ length: 300 }, (_, part) =>
    upsert(parts, 10 + part, { thing: "a", part, size: 1n }),
  )
  await generation.apply([transaction(1_000, many)])
  await generation.apply([transaction(2_000, [upsert(parts, 1_001, { thing: "a", part: 299, size: 2n })])])
  const { rows } = await generation.admin.query(
    "select data ->> 'isWhole' as whole, jsonb_array_length(data -> 'differences') as listed from cdc.outbox order by id",
  )
  expect(rows).toEqual([
    { whole: "false", listed: 200 },
    { whole: "false", listed: 0 },
  ])
})

/** Transactions of which some record what they do, and their events. */
function history(tape: Uint16Array): { transactions: Transaction[]; expected: string[] } {
  const choices = choicesFrom(tape)
  const numbers = new Map<string, number>()
  const expected: string[] = []
  let place = 0
  const transactions = Array.from({ length: 3 + choices.pick(6) }, () => {
    const commit = place + 20
    const touched = ["a", "b", "c"].filter(() => choices.pick(2) === 0)
    const records = touched.flatMap((id): DataRecord[] => {
      const changed = thing(++place, id, place)
      if (choices.pick(3) === 0) {
        expected.push(`${id}/inferred-0-${commit.toString(16).toUpperCase()}`)
        return [changed]
      }
      const number = (numbers.get(id) ?? 0) + 1
      numbers.set(id, number)
      expected.push(`${id}/${number}`)
      return [changed, fact(++place, id, number)]
    })
    place = commit
    return transaction(commit, records)
  })
  return { transactions, expected }
}

/** By aggregate, because events of different ones have no sequence among each other. */
const byAggregate = (events: readonly string[]): Record<string, string[]> =>
  Object.fromEntries(["a", "b", "c"].map((id) => [id, events.filter((event) => event.startsWith(`${id}/`))]))

test("batches of any size, replayed and from the staged table, tell every transaction once", async () => {
  await fc.assert(
    fc.asyncProperty(tapes(80), tapes(20), async (tape, cuts) => {
      const { transactions, expected } = history(tape)
      const choices = choicesFrom(cuts)
      await generation.admin.query("truncate cdc.outbox")
      await generation.empty()
      const left = [...transactions]
      while (left.length > 0) {
        const batch = left.splice(0, 1 + choices.pick(4))
        const [only] = batch
        if (batch.length === 1 && only) await applyFromStaged(only)
        await generation.apply(batch)
      }
      expect(byAggregate(await names())).toEqual(byAggregate(expected))
      await generation.rewind()
      for (const one of transactions) await generation.apply([one])
      expect(byAggregate(await names())).toEqual(byAggregate(expected))
    }),
    propertyRuns("told", 20),
  )
})

/** Rolled back where the position has moved; otherwise followed by the same transaction once more, from memory. */
async function applyFromStaged(one: Transaction): Promise<void> {
  await createStagedTable(generation.target)
  await writeStagedRows(generation.target, one.records.map(toStagedRow))
  await applyStaged(generation.target, {
    expected: generation.position(),
    transaction: one,
    rows: one.records.length,
    resumeOffsets: new Map(),
  })
  await generation.admin.query("update cdc.progress set position = $1", [generation.position()])
}

const limit = 100
const readRecords = async (
  origins: readonly { topic: string; partition: number; offset: bigint }[],
): Promise<RawRecord[]> =>
  origins.map((origin) => ({ ...origin, key: null, value: Buffer.from("raw"), headers: {} }))

test("an event whose row is parked is not inferred, and told when it is redriven", async () => {
  await generation.admin.query(
    `alter table ${generation.schema}.facts add constraint refused check (type <> 'Bad') not valid`,
  )
  const bad = fact(2, "a", 1, "Bad")
  const one = transaction(10, [thing(1, "a", 1), bad])
  const step = { expected: lsn(0), transactions: [one], resumeOffsets: new Map(), heartbeatAt: null }
  await applyOrPark(generation.target, step, limit, readRecords)
  expect(await names()).toEqual([])

  await generation.admin.query(`alter table ${generation.schema}.facts drop constraint refused`)
  await redriveAll(bad)
  expect(await told()).toEqual([{ aggregate: "a", number: "1", inferred: false, type: "Bad" }])
})

test("a row that is redriven after its event was told is no event of its own", async () => {
  await generation.admin.query(
    `alter table ${generation.schema}.things add constraint refused check (amount <> 1) not valid`,
  )
  const bad = { ...thing(1, "a", 1), xid: "10" }
  const one = transaction(10, [bad, fact(2, "a", 1)])
  const step = { expected: lsn(0), transactions: [one], resumeOffsets: new Map(), heartbeatAt: null }
  await applyOrPark(generation.target, step, limit, readRecords)
  await generation.admin.query(`alter table ${generation.schema}.things drop constraint refused`)
  await redriveAll(bad)
  const { rows } = await generation.admin.query(`select amount::int from ${generation.schema}.things`)
  expect(rows).toEqual([{ amount: 1 }])
  expect(await names()).toEqual(["a/1"])
})

async function redriveAll(record: DataRecord): Promise<void> {
  const { db, target } = generation
  for (const id of await chooseDeadLetters(db, target.ref, {}, null)) {
    const unit = (await readUnit(db, target.ref, id)).map((entry) => ({ entry, record }))
    await db.transaction().execute(async (trx) => {
      const position = await lockProgress(trx, target.ref, target.leaseEpoch)
      await redrive(trx, target, position, unit)
      await settleDeadLetter(trx, id, "applied", 1n)
    })
  }
}

test("a load tells what no apply has told, once: the history first, later the gap", async () => {
  await generation.apply([
    transaction(10, [thing(1, "a", 1), fact(2, "a", 1)]),
    transaction(20, [thing(11, "b", 1), fact(12, "b", 1)]),
    transaction(30, [thing(21, "c", 1), fact(22, "c", 1)]),
  ])
  const { db, target } = generation
  const former = await findLiveGeneration(db, source)
  const next = await beginGeneration(db, { source, leaseEpoch: target.leaseEpoch }, projections)
  await indexGeneration(db, next.schema, projections)
  // Since: a changed twice with events, b without, c not at all.
  await generation.admin.query(`
    insert into ${next.schema}.things select * from ${generation.schema}.things;
    insert into ${next.schema}.facts select * from ${generation.schema}.facts;
    update ${next.schema}.things set amount = 2 where id in ('a', 'b');
    insert into ${next.schema}.facts (thing, number, type, at, deleted)
      values ('a', 3, 'Changed', '2024-01-01', false), ('a', 2, 'Changed', '2025-01-02', false)`)
  const tell = (before: typeof former) =>
    db.transaction().execute((trx) => tellGap(trx, { projections, next, former: before, base: lsn(99) }))
  await tell(former)
  expect((await names()).slice(3)).toEqual(["a/2", "a/3", "b/inferred-0-63"])
  await tell(next)
  expect(await names()).toHaveLength(6)

  await generation.admin.query("truncate cdc.outbox")
  await tell(null)
  expect((await names()).sort()).toEqual(["a/1", "a/2", "a/3", "b/1", "c/1"])
  await generation.admin.query(`drop schema ${next.schema} cascade`)
})
