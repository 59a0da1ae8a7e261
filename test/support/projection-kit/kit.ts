// Given changes of the source, when they are applied, then rows of read models. A case is run on a real Postgres in
// every way in which its changes may arrive (variants.ts), and besides the rows that it names these must hold each time:
// mirrored tables have exactly the source's rows, derived models equal their own SQL over all rows.
import { expect } from "vitest"
import { quoted } from "../../../db/sql-names.ts"
import type { Projections } from "../../../query/cdc/projection/projection.ts"
import { createTestGeneration, type TestGeneration } from "../../query/cdc/given/generation.ts"
import { chooseSeed, createRandom } from "../random.ts"
import { type Given, type SourceRow, type SourceRows, type Values, writeHistory } from "./given-changes.ts"
import { createReceiver } from "./receiver.ts"
import { columnsOf, readRows, recompute, recomputeAll, type ShownRow, showGiven } from "./stored-rows.ts"
import { variantsOf } from "./variants.ts"

/** All rows of each table, in any order. Columns that no row of a table names are not compared. */
export type ExpectedRows = Readonly<Record<string, readonly Values[]>>

export type ProjectionKit = {
  /** Each argument is one transaction of the source: a change, or several. */
  givenChanges: (...changes: readonly (Given | readonly Given[])[]) => {
    whenApplied: () => {
      /** @throws Error that names the variant, the seed and the rows that differ. */
      thenRows: (expected: ExpectedRows) => Promise<void>
    }
  }
}

/** Prints its seed; `SEED=` repeats a run. */
export function createProjectionKit(projections: Projections): ProjectionKit {
  const seed = chooseSeed()
  console.info(`projection kit: SEED=${seed}`)
  return {
    givenChanges: (...changes) => ({
      whenApplied: () => ({
        async thenRows(expected) {
          const history = writeHistory(projections, changes.map(asTransaction))
          const generation = await createTestGeneration("kit", projections)
          try {
            const wanted = await wantedRows(generation, projections, expected, history.at(-1)?.rows)
            for (const { name, deliver } of variantsOf(history.length)) {
              await generation.empty()
              const told = `${name} (SEED=${seed})`
              const to = createReceiver(generation, projections)
              await deliver(history, to, createRandom(seed).fork(name)).catch((cause: unknown) => {
                throw new Error(`${told}: ${cause instanceof Error ? cause.message : String(cause)}`, {
                  cause,
                })
              })
              expect(to.reached(), `${told}: everything is applied`).toBe(history.at(-1)?.commitLsn)
              await assertRows(generation, projections, wanted, told)
            }
          } finally {
            await generation.close()
          }
        },
      }),
    }),
  }
}

const asTransaction = (changes: Given | readonly Given[]): readonly Given[] =>
  "table" in changes ? [changes] : changes

type Wanted = { table: string; columns: readonly string[]; rows: ShownRow[]; by: string }

/** What the test expects, and what the source has. */
async function wantedRows(
  generation: TestGeneration,
  projections: Projections,
  expected: ExpectedRows,
  rows: SourceRows | undefined,
): Promise<Wanted[]> {
  const wanted: Wanted[] = []
  const want = async (by: string, table: string, values: readonly Values[], named: ReadonlySet<string>) => {
    const columns = columnsOf(projections, table)
    const unknown = [...named].find((name) => !columns.some((column) => column.name === name))
    if (unknown !== undefined) throw new Error(`${table} has no column ${unknown}`)
    const compared = named.size === 0 ? columns : columns.filter(({ name }) => named.has(name))
    const shown = await showGiven(generation.admin, values, compared)
    wanted.push({ table, columns: compared.map(({ name }) => name), rows: shown, by })
  }
  for (const [table, values] of Object.entries(expected)) {
    await want("the test", table, values, new Set(values.flatMap((row) => Object.keys(row))))
  }
  for (const { name } of projections.tables) {
    const columns = columnsOf(projections, name)
    const named = ({ row }: SourceRow): Values =>
      Object.fromEntries(columns.map((column, at) => [column.name, row[at] ?? null]))
    await want("the source", name, (rows?.get(name) ?? []).map(named), new Set())
  }
  return wanted
}

async function assertRows(
  { admin, schema }: TestGeneration,
  projections: Projections,
  wanted: readonly Wanted[],
  told: string,
): Promise<void> {
  const mirrored = new Set(projections.tables.map(({ name }) => name))
  for (const { table, columns, rows, by } of wanted) {
    const compared = columnsOf(projections, table).filter(({ name }) => columns.includes(name))
    const stored = await readRows(admin, quoted(schema), table, compared, mirrored.has(table))
    expect(stored, `${told}: rows of ${table} are not those of ${by}`).toEqual(rows)
  }
  for (const model of projections.derived) {
    const columns = columnsOf(projections, model.name)
    const stored = await readRows(admin, quoted(schema), model.name, columns, false)
    const computed = await recompute(admin, quoted(schema), model, columns)
    expect(stored, `${told}: ${model.name} is not what its contribution gives over all rows`).toEqual(
      computed,
    )
  }
  for (const model of projections.recomputed) {
    const columns = columnsOf(projections, model.name)
    const stored = await readRows(admin, quoted(schema), model.name, columns, false)
    const computed = await recomputeAll(admin, quoted(schema), model, columns)
    expect(stored, `${told}: ${model.name} is not what its rows are over all rows`).toEqual(computed)
  }
}
