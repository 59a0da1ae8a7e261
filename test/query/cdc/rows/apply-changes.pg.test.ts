// A history may be cut wherever the LSN changes: its parts, applied one after the other in one Postgres transaction,
// leave every row, every guard and every sum as the whole does, and make at least the same cached answers stale.
import fc from "fast-check"
import { expect, test } from "vitest"
import { applyChanges, tablesByName } from "../../../../query/cdc/rows/apply-changes.ts"
import { foldTransactions } from "../../../../query/cdc/rows/batch.ts"
import { cutIntoChunks } from "../../../../query/cdc/rows/chunks.ts"
import type { Transaction } from "../../../../query/cdc/vocabulary/change.ts"
import { choicesFrom, propertyRuns, tapes } from "../../../support/properties.ts"
import { givenGeneration, transaction, upsert } from "../given/generation.ts"
import { everythingIn, owners, thingProjections as projections, writeHistory } from "../given/things.ts"

const generation = givenGeneration("apply_changes", projections)

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
      const whole = await everythingIn(generation)
      await generation.empty()
      if (first) await applyParts([[first]])
      const parts = cutIntoChunks(rest, 1 + choices.pick(4))
      cut += parts.length - 1
      const staleByParts = await applyParts(parts)
      expect(await everythingIn(generation)).toEqual(whole)
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
