// Rows that Postgres refuses: they are found among good ones in few attempts and parked, everything else is applied,
// and redriven once they are accepted they leave every row, guard and sum as if nothing had been refused.
import fc from "fast-check"
import { Kysely, PostgresDialect } from "kysely"
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import { type DataRecord, type Origin, type Transaction, unavailable } from "../../../query/cdc/change.ts"
import type { RawRecord } from "../../../query/cdc/decode.ts"
import { classifyError } from "../../../query/cdc/errors.ts"
import { findRefused } from "../../../query/cdc/isolate.ts"
import { chooseParked, readUnit, settleEntry } from "../../../query/cdc/parked-entries.ts"
import { applyOrPark, createParkingPlace } from "../../../query/cdc/parking.ts"
import { lockProgress } from "../../../query/cdc/progress.ts"
import { redrive } from "../../../query/cdc/redrive.ts"
import { choicesFrom, propertyRuns, tapes } from "../../support/properties.ts"
import { createTestGeneration, remove, type TestGeneration, transaction, upsert } from "./generation.ts"
import { lsn } from "./records.ts"
import { everythingIn, thingProjections, things, writeHistory } from "./things.ts"

let generation: TestGeneration
beforeAll(async () => {
  generation = await createTestGeneration("parking", thingProjections)
})
afterAll(() => generation.close())
beforeEach(async () => {
  await accept()
  await generation.empty()
  await generation.admin.query("truncate cdc.dead_letters")
})

const refuse = (condition: string) =>
  generation.admin.query(
    `alter table ${generation.schema}.things add constraint refused check (not (${condition})) not valid`,
  )
const accept = () =>
  generation.admin.query(`alter table ${generation.schema}.things drop constraint if exists refused`)

const readRecords = async (origins: readonly Origin[]): Promise<RawRecord[]> =>
  origins.map((origin) => ({ ...origin, key: null, value: Buffer.from("raw"), headers: {} }))

const thing = (place: number, id: string, amount: number): DataRecord =>
  upsert(things, place, { id, owner: "o1", note: `note ${place}`, amount: BigInt(amount) })

/** The record at another offset, which is what tells records apart. */
const at = (offset: number, record: DataRecord): DataRecord => ({
  ...record,
  origin: { ...record.origin, offset: BigInt(offset) },
})

/** Applies steps as a follower does. */
async function applyAll(steps: readonly (readonly Transaction[])[]): Promise<void> {
  const parking = createParkingPlace({ rows: new Set(), limit: 10_000 })
  let expected = lsn(0)
  for (const transactions of steps) {
    const taken = parking.take([])
    const step = {
      expected,
      transactions,
      resumeOffsets: new Map<string, bigint>(),
      heartbeatAt: null,
      ...(taken ? { parking: taken } : {}),
    }
    const { parked } = await applyOrPark(generation.target, step, 10_000, readRecords)
    if (parked) parking.stored(parked)
    expected = transactions.at(-1)?.commitLsn ?? expected
  }
}

/** Redrives entries until nothing more can be; `records` are the parked ones by offset. @returns how many are left. */
async function redriveAll(records: ReadonlyMap<bigint, DataRecord>): Promise<number> {
  const { db, target } = generation
  for (;;) {
    const ids = await chooseParked(db, target.ref, {}, null)
    let redriven = 0
    for (const id of ids) {
      const entries = await readUnit(db, target.ref, id)
      const unit = entries.map((entry) => ({ entry, record: records.get(entry.raw.offset) ?? null }))
      if (unit.length === 0) continue
      const done = await db
        .transaction()
        .execute(async (trx) => {
          const position = await lockProgress(trx, target.ref, target.leaseEpoch)
          const { outcome } = await redrive(trx, target, position, unit)
          const state = outcome === "applied" ? "applied" : "superseded"
          for (const { entry } of unit) await settleEntry(trx, entry.id, state, 1n)
          return true
        })
        .catch((thrown: unknown) => {
          const error = classifyError(thrown)
          if (error.disposition !== "dead-letter") throw thrown
          return false
        })
      if (done) redriven++
    }
    if (redriven === 0) return ids.length
  }
}

test.each([
  { rows: 1, bad: [1] },
  { rows: 1_000, bad: [613] },
  { rows: 2_000, bad: [1, 1_000, 2_000] },
])("$bad of $rows rows are found in few attempts", async ({ rows, bad }) => {
  await refuse("amount < 0")
  const records = Array.from({ length: rows }, (_, index) =>
    thing(index + 1, `t${index + 1}`, bad.includes(index + 1) ? -1 : 1),
  )
  let attempts = 0
  const counted = new Kysely<QueryDatabase>({
    dialect: new PostgresDialect({ pool: generation.admin }),
    log: ({ query }) => {
      if (query.sql === "savepoint attempt") attempts++
    },
  })
  const refused = await findRefused(counted, generation.target, () => [[transaction(9_999, records)]], 100)
  expect(refused.map(({ record }) => Number(record.origin.offset))).toEqual(bad)
  expect(refused[0]?.error.code).toBe("bad-row")
  expect(attempts).toBeLessThanOrEqual(1 + 2 * bad.length * Math.ceil(Math.log2(rows)))
  expect(await everythingIn(generation)).toEqual([])
})

test("both halves of a changed primary key are parked, and redriven as one", async () => {
  const before = transaction(10, [thing(1, "old", 1)])
  const moved = at(2, upsert(things, 12, { id: "new", owner: "o1", note: unavailable, amount: -1n }))
  const removed = at(3, remove(things, 12, "old"))
  const move = transaction(20, [moved, removed])
  await applyAll([[before], [move]])
  const whole = await everythingIn(generation)
  await generation.empty()
  await refuse("amount < 0")
  await applyAll([[before], [move]])
  const { rows } = await generation.admin.query("select row_key from cdc.dead_letters order by id")
  expect(rows).toEqual([{ row_key: ["new"] }, { row_key: ["old"] }])
  await accept()
  expect(
    await redriveAll(
      new Map([
        [2n, { ...moved, xid: "20" }],
        [3n, { ...removed, xid: "20" }],
      ]),
    ),
  ).toBe(0)
  expect(await everythingIn(generation)).toEqual(whole)
})

test("whatever is refused, redriven later it leaves all as if nothing had been", async () => {
  let parked = 0
  let stuck = 0
  await fc.assert(
    fc.asyncProperty(tapes(160), async (tape) => {
      const choices = choicesFrom(tape)
      const refusal = `amount % ${2 + choices.pick(4)} = ${choices.pick(2)}`
      const size = 1 + choices.pick(12)
      let offset = 0
      const history = writeHistory(choices).map((one) => ({
        ...one,
        records: one.records.map((record) => ({ ...at(++offset, record), xid: one.xid })),
      }))
      const records = new Map(
        history.flatMap((one) => one.records.map((record) => [record.origin.offset, record] as const)),
      )
      await accept()
      await generation.empty()
      await generation.admin.query("truncate cdc.dead_letters")
      const steps = cutIntoWholeTransactions(history, size)
      await applyAll(steps)
      const whole = await everythingIn(generation)
      await generation.empty()
      await refuse(refusal)
      await applyAll(steps)
      const { rows } = await generation.admin.query("select from cdc.dead_letters")
      parked += rows.length
      await accept()
      const left = await redriveAll(records)
      stuck += left
      if (left === 0) expect(await everythingIn(generation)).toEqual(whole)
    }),
    { ...propertyRuns("parked and redriven", 40), endOnFailure: true },
  )
  expect(parked).toBeGreaterThan(20)
  // A change that took a value from a row that has been replaced since can only be rebuilt; most did not.
  console.info(`${parked} parked, ${stuck} left for a rebuild`)
  expect(stuck).toBeLessThan(parked)
})

function cutIntoWholeTransactions(history: readonly Transaction[], size: number): Transaction[][] {
  const steps: Transaction[][] = [[]]
  for (const one of history) {
    const last = steps.at(-1) ?? []
    if (last.length >= size) steps.push([one])
    else last.push(one)
  }
  return steps.filter((step) => step.length > 0)
}
