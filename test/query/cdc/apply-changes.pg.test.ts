// A history may be cut wherever the LSN changes: its parts, applied one after the other in one Postgres transaction,
// leave every row, every guard and every sum as the whole does, and make at least the same cached answers stale.
import fc from "fast-check"
import { afterAll, beforeAll, expect, test } from "vitest"
import { applyChanges, tablesByName } from "../../../query/cdc/apply-changes.ts"
import { foldTransactions } from "../../../query/cdc/batch.ts"
import { type DataRecord, type Transaction, unavailable, type Value } from "../../../query/cdc/change.ts"
import { cutIntoChunks } from "../../../query/cdc/chunks.ts"
import {
  bigint,
  longText,
  type MirroredTable,
  type Projections,
  text,
} from "../../../query/cdc/projection.ts"
import { type Choices, choicesFrom, propertyRuns, tapes } from "../../support/properties.ts"
import { createTestGeneration, remove, type TestGeneration, transaction, upsert } from "./generation.ts"

const things: MirroredTable = {
  name: "things",
  key: [text("id")],
  columns: [longText("owner"), longText("note"), bigint("amount")],
  indexes: [],
}
const owners: MirroredTable = { name: "owners", key: [text("id")], columns: [longText("name")], indexes: [] }
const projections: Projections = {
  version: "test",
  tables: [things, owners],
  derived: [
    {
      name: "amounts",
      groupBy: [{ name: "owner", type: "text" }],
      sums: ["things", "amount"],
      touchedBy: ["things"],
      contribution: (schema, aggregates) => `
        select owner, count(*) as things, sum(amount) as amount from ${schema}.things
        where not deleted ${aggregates ? `and id = any(${aggregates})` : ""} group by 1`,
      indexes: [],
    },
  ],
  cache: {
    ofRow: (table, [id]) => [`${table}:${id}`],
    ofGroup: (_model, [owner]) => [`amounts:${owner}`],
    found: {
      owners: (schema, changed) =>
        `select 'things:' || id from ${schema}.things where owner = any(${changed}) and not deleted`,
    },
  },
  heartbeatTable: "cdc_heartbeat",
}

let generation: TestGeneration
beforeAll(async () => {
  generation = await createTestGeneration("apply_changes", projections)
})
afterAll(() => generation.close())

type Thing = { id: string; owner: string; note: Value; amount: bigint }

/** Transactions over a few rows, with values that are not sent, changed keys and rows that share an LSN. */
function writeHistory(choices: Choices): Transaction[] {
  const rows = new Map<string, Thing>()
  let at = 0
  const free = (): string | undefined => ["a", "b", "c", "d", "e"].find((id) => !rows.has(id))
  const insert = (id: string): DataRecord => {
    const row = { id, owner: `o${choices.pick(2)}`, note: `note ${at}`, amount: BigInt(choices.pick(50)) }
    rows.set(id, row)
    return upsert(things, at, row)
  }
  const change = (): DataRecord[] => {
    at++
    const row = [...rows.values()][choices.pick(Math.max(1, rows.size))]
    const id = free()
    switch (choices.pick(6)) {
      case 0:
        if (!id) break
        return [insert(id)]
      case 1: {
        const copied = [free(), rows.size < 4 ? "f" : undefined, "g"]
        return copied.flatMap((one) => (one !== undefined && !rows.has(one) ? [insert(one)] : []))
      }
      case 2: {
        if (!row || id === undefined) break
        rows.delete(row.id)
        rows.set(id, { ...row, id })
        return [upsert(things, at, { ...row, id, note: unavailable }), remove(things, at, row.id)]
      }
      case 3:
        if (!row) break
        rows.delete(row.id)
        return [remove(things, at, row.id)]
      case 4:
        return [upsert(owners, at, { id: `o${choices.pick(2)}`, name: `name ${at}` })]
    }
    if (!row) return []
    const changed = { ...row, owner: `o${choices.pick(3)}`, amount: row.amount + 1n }
    rows.set(row.id, changed)
    return [upsert(things, at, { ...changed, note: unavailable })]
  }
  return Array.from({ length: 2 + choices.pick(3) }, () => {
    const records = Array.from({ length: choices.pick(9) }, change).flat()
    return transaction(++at, records)
  })
}

async function applyParts(parts: readonly (readonly Transaction[])[]): Promise<Set<string>> {
  const cacheKeys = new Set<string>()
  await generation.db.transaction().execute(async (trx) => {
    for (const part of parts) {
      const changed = await applyChanges(
        trx,
        generation.target,
        foldTransactions(part, tablesByName(projections)),
      )
      expect(changed.written).toBe(changed.rows)
      for (const key of changed.cacheKeys) cacheKeys.add(key)
    }
  })
  return cacheKeys
}

async function everything(): Promise<unknown[]> {
  const { rows } = await generation.admin.query(
    ["things", "owners", "amounts"]
      .map(
        (table) =>
          `select '${table}' as "table", to_jsonb(t)::text as row from ${generation.schema}.${table} t`,
      )
      .join(" union all ")
      .concat(" order by 1, 2"),
  )
  return rows
}

test("parts of a history, in its order, do what the whole does", async () => {
  let cut = 0
  await fc.assert(
    fc.asyncProperty(tapes(120), async (tape) => {
      const choices = choicesFrom(tape)
      const history = writeHistory(choices)
      await generation.empty()
      const [first, ...rest] = history
      // Some of it is stored already, so that values are taken from stored rows, too.
      if (first) await applyParts([[first]])
      const staleByWhole = await applyParts([rest])
      const whole = await everything()
      await generation.empty()
      if (first) await applyParts([[first]])
      const parts = cutIntoChunks(rest, 1 + choices.pick(4))
      cut += parts.length - 1
      const staleByParts = await applyParts(parts)
      expect(await everything()).toEqual(whole)
      expect([...staleByWhole].filter((key) => !staleByParts.has(key))).toEqual([])
    }),
    propertyRuns("parts", 40),
  )
  expect(cut).toBeGreaterThan(0)
})

test("a history is cut into parts of about the wanted size, whole where the LSN does not change", () => {
  const row = (at: number, id: string) => upsert(owners, at, { id, name: id })
  const copied = ["a", "b", "c", "d"].map((id) => row(5, id))
  const history = [
    transaction(10, [row(1, "a"), row(2, "b"), ...copied]),
    transaction(20, []),
    transaction(30, [row(21, "a"), row(22, "b"), row(23, "c")]),
  ]
  const shape = (parts: readonly (readonly Transaction[])[]) =>
    parts.map((part) =>
      part.map(({ xid, records }) => [xid, ...records.map(({ lsn }) => Number(lsn))].join(" ")),
    )
  expect(shape(cutIntoChunks(history, 2))).toEqual([
    ["10 1 2"],
    ["10 5 5 5 5"],
    ["20", "30 21 22"],
    ["30 23"],
  ])
  expect(shape(cutIntoChunks(history, 3))).toEqual([["10 1 2 5 5 5 5"], ["20", "30 21 22 23"]])
  expect(shape(cutIntoChunks(history, 100))).toEqual([["10 1 2 5 5 5 5", "20", "30 21 22 23"]])
  expect(cutIntoChunks([], 100)).toEqual([])
})
