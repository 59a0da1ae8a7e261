// A transaction that is too large for memory: what is staged is each row change once, whatever copies come; applied
// from there in parts it does what it does from memory; all of it is stored or nothing, and nothing without the lease.
import fc from "fast-check"
import { beforeEach, expect, test } from "vitest"
import type { ApplyTarget } from "../../../../../query/cdc/apply/apply.ts"
import { applyStagedOrPark } from "../../../../../query/cdc/apply/apply-or-park.ts"
import { applyStaged, type StagedOptions } from "../../../../../query/cdc/apply/staged/apply-staged.ts"
import { toStagedRow } from "../../../../../query/cdc/apply/staged/staged-record.ts"
import {
  createStagedTable,
  removeStagedTable,
  writeStagedRows,
} from "../../../../../query/cdc/apply/staged/staged-rows.ts"
import { readProgress } from "../../../../../query/cdc/lease/progress.ts"
import { type DataRecord, type Transaction, unavailable } from "../../../../../query/cdc/vocabulary/change.ts"
import { type Choices, choicesFrom, propertyRuns, tapes } from "../../../../support/properties.ts"
import {
  givenGeneration,
  remove,
  transaction,
  upsert,
  type Values,
  withoutCache,
} from "../../given/generation.ts"
import {
  everythingIn,
  owners,
  thingProjections as projections,
  things,
  writeHistory,
} from "../../given/things.ts"

const generation = givenGeneration("apply_staged", projections)
beforeEach(() => generation.empty())

const write = (records: readonly DataRecord[]) => writeStagedRows(generation.target, records.map(toStagedRow))

async function stage({ records }: Transaction): Promise<void> {
  await createStagedTable(generation.target)
  if (records.length > 0) await write(records)
}

const apply = (one: Transaction, options: StagedOptions = {}, under: Partial<ApplyTarget> = {}) =>
  applyStaged(
    { ...generation.target, ...under },
    {
      expected: generation.position(),
      transaction: one,
      rows: one.records.length,
      resumeOffsets: new Map([["p.public.things/0", 17n]]),
    },
    options,
  )

async function stagedTableExists(): Promise<boolean> {
  const { rowCount } = await generation.admin.query(
    "select from pg_tables where schemaname = $1 and tablename = '_staged_rows'",
    [generation.schema],
  )
  return rowCount === 1
}

/** In any sequence, with copies, as partitions are read and a connector sends again. */
function shuffle(records: readonly DataRecord[], choices: Choices): DataRecord[] {
  const left = [...records]
  const shuffled: DataRecord[] = []
  while (left.length > 0) {
    shuffled.push(...left.splice(choices.pick(left.length), 1))
    const copied = shuffled[choices.pick(shuffled.length * 3)]
    if (copied)
      shuffled.push({ ...copied, origin: { ...copied.origin, offset: copied.origin.offset + 100n } })
  }
  return shuffled
}

test("staged in any sequence, with copies, and applied in parts it does what it does from memory", async () => {
  let parts = 0
  await fc.assert(
    fc.asyncProperty(tapes(160), async (tape) => {
      const choices = choicesFrom(tape)
      const [first, ...rest] = writeHistory(choices)
      const records = rest.flatMap((one) => one.records)
      const giant = transaction(10_000, records)
      await generation.empty()
      if (first) await generation.apply([first])
      await generation.apply([giant])
      const whole = await everythingIn(generation)
      await generation.empty()
      if (first) await generation.apply([first])
      await createStagedTable(generation.target)
      const counts = new Map<string, number>()
      const shuffled = shuffle(records, choices)
      while (shuffled.length > 0) {
        for (const [table, count] of await write(shuffled.splice(0, 1 + choices.pick(5)))) {
          counts.set(table, (counts.get(table) ?? 0) + count)
        }
      }
      expect([...counts.values()].reduce((sum, count) => sum + count, 0)).toBe(records.length)
      const taken: number[] = []
      await apply(giant, { chunkRows: 1 + choices.pick(4), onRows: (rows) => taken.push(rows) })
      expect(taken.at(-1) ?? 0).toBe(records.length)
      parts += taken.length
      const provenance = /"kafka_offset": \d+/g
      const told = (rows: unknown[]) => JSON.stringify(rows).replaceAll("\\", "").replaceAll(provenance, "")
      expect(told(await everythingIn(generation))).toBe(told(whole))
      expect(await stagedTableExists()).toBe(false)
    }),
    propertyRuns("staged", 30),
  )
  expect(parts).toBeGreaterThan(0)
})

const full = { id: "a", owner: "o1", note: "a long note", amount: 5n }
const unsent: Values = { ...full, note: unavailable }

test("a value that was not sent is found in an earlier part, and across a changed key", async () => {
  const giant = transaction(100, [
    upsert(things, 1, full),
    upsert(things, 2, { ...unsent, amount: 6n }),
    upsert(things, 3, { ...unsent, id: "b", amount: 7n }),
    remove(things, 3, "a"),
    upsert(things, 4, { ...unsent, id: "b", amount: 8n }),
  ])
  await stage(giant)
  await apply(giant, { chunkRows: 1 })
  const { rows } = await generation.admin.query(
    `select id, note, amount::int, deleted from ${generation.schema}.things order by id`,
  )
  expect(rows).toEqual([
    { id: "a", note: null, amount: null, deleted: true },
    { id: "b", note: "a long note", amount: 8, deleted: false },
  ])
})

test("rows, sums, resume offsets, xid, position and the end of the staged table move together", async () => {
  const giant = transaction(100, [upsert(things, 1, full), upsert(owners, 2, { id: "o1", name: "n" })])
  await stage(giant)
  expect(await apply(giant)).toMatchObject({ rows: 2, stale: 0 })
  const progress = await readProgress(generation.db, generation.target.ref)
  expect(progress).toMatchObject({ position: 100n, lastEnd: 100n, lastEndOffset: 100n })
  expect(progress?.resumeOffsets).toEqual(new Map([["p.public.things/0", 17n]]))
  const { rows } = await generation.admin.query(
    "select p.changes::int, (select array_agg(xid::int) from cdc.applied_xids) as xids from cdc.progress p",
  )
  expect(rows).toEqual([{ changes: 2, xids: [100] }])
})

test("cut short between two parts it has stored nothing, and can be applied again", async () => {
  const giant = transaction(100, [upsert(things, 1, full), upsert(things, 2, { ...full, id: "b" })])
  await stage(giant)
  const before = await everythingIn(generation)
  const onRows = (rows: number): void => {
    if (rows === 2) throw new Error("stopping")
  }
  await expect(apply(giant, { chunkRows: 1, onRows })).rejects.toThrow("stopping")
  expect(await everythingIn(generation)).toEqual(before)
  expect(await readProgress(generation.db, generation.target.ref)).toMatchObject({ position: 0n })
  await apply(giant)
  expect(await readProgress(generation.db, generation.target.ref)).toMatchObject({ position: 100n })
})

test("without the lease nothing is staged, made or removed", async () => {
  const giant = transaction(100, [upsert(things, 1, full)])
  await stage(giant)
  const zombie = { ...generation.target, leaseEpoch: generation.target.leaseEpoch - 1n }
  const refused = { code: "apply-conflict", disposition: "retry" }
  await expect(createStagedTable(zombie)).rejects.toMatchObject(refused)
  await expect(removeStagedTable(zombie)).rejects.toMatchObject(refused)
  await expect(writeStagedRows(zombie, [upsert(things, 2, full)].map(toStagedRow))).rejects.toMatchObject(
    refused,
  )
  await expect(apply(giant, {}, { leaseEpoch: zombie.leaseEpoch })).rejects.toMatchObject(refused)
  const { rows } = await generation.admin.query(`select lsn::int from ${generation.schema}._staged_rows`)
  expect(rows).toEqual([{ lsn: 1 }])
})

test("what a former following has left is gone when the next one begins", async () => {
  await stage(transaction(100, [upsert(things, 1, full)]))
  await removeStagedTable(generation.target)
  expect(await stagedTableExists()).toBe(false)
  await removeStagedTable(generation.target)
})

test("a few cached answers are fenced one by one, very many all at once", async () => {
  const fenced: unknown[] = []
  const cacheFence = {
    ...withoutCache,
    fence: async (position: bigint, keys: readonly string[] | "all") => {
      fenced.push([position, keys === "all" ? keys : keys.toSorted()])
      return "fenced" as const
    },
  }
  const few = transaction(100, [
    upsert(things, 1, full),
    upsert(things, 2, { ...full, id: "b", owner: "o2" }),
  ])
  await stage(few)
  await apply(few, {}, { cacheFence })
  await generation.empty()
  const many = transaction(
    200,
    Array.from({ length: 6_000 }, (_, n) => upsert(owners, n + 1, { id: `o${n}`, name: "n" })),
  )
  await stage(many)
  await apply(many, {}, { cacheFence })
  expect(fenced).toEqual([
    [100n, ["amounts:o1", "amounts:o2", "dearest:o1", "dearest:o2", "things:a", "things:b"]],
    [200n, "all"],
  ])
})

test("a row that Postgres refuses is parked, and everything else of the transaction is applied", async () => {
  const good = (at: number) => upsert(things, at, { ...full, id: `k${at}` })
  const bad = upsert(things, 3, { ...full, id: "bad", note: "a NUL \u0000 that no text holds" })
  const giant = transaction(100, [good(1), good(2), bad, good(4), good(5)])
  await stage(giant)
  const { applied, parked } = await applyStagedOrPark(
    generation.target,
    { expected: generation.position(), transaction: giant, rows: 5, resumeOffsets: new Map() },
    10,
    async (origins) =>
      origins.map(({ topic, partition, offset }) => ({
        topic,
        partition,
        offset,
        key: Buffer.from("key"),
        value: Buffer.from("value"),
        headers: {},
      })),
    () => {},
  )
  expect(applied).toMatchObject({ rows: 4 })
  expect(parked?.changes.map(({ key, place }) => [key, place?.lsn])).toEqual([[["bad"], 3n]])
  const { rows } = await generation.admin.query(
    `select (select array_agg(id order by id) from ${generation.schema}.things) as ids,
       (select array_agg(lsn::int) from cdc.dead_letters) as parked`,
  )
  expect(rows).toEqual([{ ids: ["k1", "k2", "k4", "k5"], parked: [3] }])
})
