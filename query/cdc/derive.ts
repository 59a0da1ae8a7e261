// Step 4c of the flow: keeps the derived models exact. The contribution of every aggregate a batch touches is taken
// from the stored rows before the batch is written and again after, and the difference is added to its groups.
// No event is ever counted, so a duplicate, a late edit or a replay cannot count twice.
import { CompiledQuery, type Transaction } from "kysely"
import type { QueryDatabase } from "../../db/query-schema.ts"
import type { Batch } from "./batch.ts"
import { EngineError } from "./errors.ts"
import { quoted } from "./mirror.ts"
import type { DerivedModel } from "./projection.ts"

/** A group's values as text, and its sums. */
type Contribution = { group: string[]; sums: bigint[] }
export type Contributions = Map<string, Contribution>

/** The aggregates of a model whose rows a batch changes. */
export function touchedAggregates(model: Pick<DerivedModel, "touchedBy">, batch: Batch): string[] {
  const touched = new Set<string>()
  for (const table of model.touchedBy) {
    for (const row of batch.get(table)?.values() ?? []) touched.add(String(row.key[0]))
  }
  return [...touched]
}

/** What the named aggregates contribute to the model as the rows are stored now. */
export async function readContributions(
  trx: Transaction<QueryDatabase>,
  schema: string,
  model: DerivedModel,
  aggregates: readonly string[],
): Promise<Contributions> {
  const groups = model.groupBy.map(({ name }) => `${quoted(name)}::text`)
  const sums = model.sums.map((name) => `trim_scale(${quoted(name)}::numeric)::text`)
  const result = await trx.executeQuery(
    CompiledQuery.raw(
      `select array[${groups.join(", ")}] as "group", array[${sums.join(", ")}] as sums
       from (${model.contribution(quoted(schema), "$1::text[]")}) contribution`,
      [aggregates],
    ),
  )
  const contributions: Contributions = new Map()
  for (const row of result.rows) {
    const { group, sums: amounts } = asContributionRow(model, row)
    contributions.set(JSON.stringify(group), { group, sums: amounts.map(BigInt) })
  }
  return contributions
}

/** after - before, without the groups in which nothing changed. */
export function difference(before: Contributions, after: Contributions): Contribution[] {
  const changed: Contribution[] = []
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    const was = before.get(key)
    const is = after.get(key)
    const group = (is ?? was)?.group ?? []
    const width = (is ?? was)?.sums.length ?? 0
    const sums = Array.from(
      { length: width },
      (_, index) => (is?.sums[index] ?? 0n) - (was?.sums[index] ?? 0n),
    )
    if (sums.some((sum) => sum !== 0n)) changed.push({ group, sums })
  }
  return changed
}

/** Adds differences to the model's groups; a group in which nothing is left is removed. */
export async function addToGroups(
  trx: Transaction<QueryDatabase>,
  schema: string,
  model: DerivedModel,
  changes: readonly Contribution[],
): Promise<void> {
  if (changes.length === 0) return
  const table = `${quoted(schema)}.${quoted(model.name)}`
  const groups = model.groupBy.map(({ name }) => quoted(name))
  const sums = model.sums.map(quoted)
  const parameters = [
    ...model.groupBy.map(({ type }, index) => `$${index + 1}::${type}[]`),
    ...model.sums.map((_, index) => `$${model.groupBy.length + index + 1}::numeric[]`),
  ]
  const values = [
    ...model.groupBy.map((_, index) => changes.map((change) => change.group[index])),
    ...model.sums.map((_, index) => changes.map((change) => change.sums[index])),
  ]
  await trx.executeQuery(
    CompiledQuery.raw(
      `insert into ${table} as stored (${[...groups, ...sums].join(", ")})
       select * from unnest(${parameters.join(", ")})
       on conflict (${groups.join(", ")}) do update
       set ${sums.map((sum) => `${sum} = stored.${sum} + excluded.${sum}`).join(", ")}`,
      values,
    ),
  )
  if (changes.every((change) => change.sums.every((sum) => sum >= 0n))) return
  await trx.executeQuery(
    CompiledQuery.raw(
      `delete from ${table} where (${groups.join(", ")}) in
         (select * from unnest(${parameters.slice(0, groups.length).join(", ")}))
       and ${sums.map((sum) => `${sum} = 0`).join(" and ")}`,
      values.slice(0, groups.length),
    ),
  )
}

function asContributionRow({ name }: DerivedModel, row: unknown): { group: string[]; sums: string[] } {
  if (typeof row !== "object" || row === null || !("group" in row && "sums" in row)) {
    throw new TypeError("a contribution must select its groups and its sums")
  }
  if (!isTexts(row.group) || !isTexts(row.sums)) {
    throw new EngineError("bad-row", `A contribution to ${name} has no value for a group or a sum.`)
  }
  if (!row.sums.every((sum) => /^-?\d+$/.test(sum))) {
    throw new EngineError("bad-row", `A contribution to ${name} has a sum that is no whole number.`)
  }
  return { group: row.group, sums: row.sums }
}

const isTexts = (values: unknown): values is string[] =>
  Array.isArray(values) && values.every((value) => typeof value === "string")
