// Step 4c of the flow: keeps the derived models exact. The contribution of every aggregate that a batch touches is read
// from the stored rows before the batch is written and again after, and the difference is added to its groups.
// Example: an aggregate contributes 40 to a group before and 55 after, so 15 is added; a replay of the batch adds 0.
// No event is ever counted, so a duplicate, a late edit or a replay cannot count twice.
import { CompiledQuery, type Transaction } from "kysely"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import { quoted } from "../../../db/sql-names.ts"
import type { DerivedModel } from "../projection/projection.ts"
import { EngineError } from "../vocabulary/errors.ts"
import type { Batch } from "./batch.ts"

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

/** A model, and the aggregates whose contributions to it are read. */
export type Touched = { model: DerivedModel; aggregates: readonly string[] }

/**
 * The contributions of the named aggregates to each model, from the rows as stored now, in the models' sequence. One
 * statement reads all, because every round trip of an apply delays the transactions behind it.
 */
export async function readContributions(
  trx: Transaction<QueryDatabase>,
  schema: string,
  touched: readonly Touched[],
): Promise<Contributions[]> {
  const contributions: Contributions[] = touched.map(() => new Map())
  if (touched.length === 0) return contributions
  const selects = touched.map(({ model }, index) => {
    const groups = model.groupBy.map(({ name }) => `${quoted(name)}::text`)
    const sums = model.sums.map((name) => `trim_scale(${quoted(name)}::numeric)::text`)
    return `select ${index} as model, array[${groups.join(", ")}] as "group", array[${sums.join(", ")}] as sums
      from (${model.contribution(quoted(schema), `$${index + 1}::text[]`)}) contribution`
  })
  const result = await trx.executeQuery(
    CompiledQuery.raw(
      selects.join(" union all "),
      touched.map(({ aggregates }) => aggregates),
    ),
  )
  for (const row of result.rows) {
    const { model, group, sums } = asContributionRow(touched, row)
    contributions[model]?.set(JSON.stringify(group), { group, sums: sums.map(BigInt) })
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

/** Differences to add to the groups of a model. */
export type GroupChanges = { model: DerivedModel; changes: readonly Contribution[] }

/** Adds differences to the groups of models; a group whose sums have all fallen to 0 is removed. */
export async function addToGroups(
  trx: Transaction<QueryDatabase>,
  schema: string,
  changed: readonly GroupChanges[],
): Promise<void> {
  await executeTogether(
    trx,
    changed.filter(({ changes }) => changes.length > 0),
    (of, nextParameter) => insertGroups(schema, of, nextParameter),
  )
  const fallen = changed.map(({ model, changes }) => ({
    model,
    changes: changes.filter(({ sums }) => sums.some((sum) => sum < 0n)),
  }))
  await executeTogether(
    trx,
    fallen.filter(({ changes }) => changes.length > 0),
    (of, nextParameter) => deleteEmptyGroups(schema, of, nextParameter),
  )
}

type Statement = { text: string; values: unknown[] }

/** Executes one statement for each model, all in one round trip: the statements write different tables. */
async function executeTogether(
  trx: Transaction<QueryDatabase>,
  changed: readonly GroupChanges[],
  statementOf: (of: GroupChanges, nextParameter: number) => Statement,
): Promise<void> {
  if (changed.length === 0) return
  const values: unknown[] = []
  const parts = changed.map((of, index) => {
    const statement = statementOf(of, values.length + 1)
    values.push(...statement.values)
    return `of_${index} as (${statement.text})`
  })
  await trx.executeQuery(CompiledQuery.raw(`with ${parts.join(", ")} select`, values))
}

function insertGroups(schema: string, { model, changes }: GroupChanges, nextParameter: number): Statement {
  const groups = model.groupBy.map(({ name }) => quoted(name))
  const sums = model.sums.map(quoted)
  const types = [...model.groupBy.map(({ type }) => type), ...model.sums.map(() => "numeric")]
  return {
    text: `
      insert into ${tableOf(schema, model)} as stored (${[...groups, ...sums].join(", ")})
      select * from unnest(${arrays(types, nextParameter)})
      on conflict (${groups.join(", ")}) do update
      set ${sums.map((sum) => `${sum} = stored.${sum} + excluded.${sum}`).join(", ")}`,
    values: [
      ...groupValues(model, changes),
      ...model.sums.map((_, index) => changes.map((change) => change.sums[index])),
    ],
  }
}

function deleteEmptyGroups(
  schema: string,
  { model, changes }: GroupChanges,
  nextParameter: number,
): Statement {
  const groups = model.groupBy.map(({ name }) => quoted(name))
  const types = model.groupBy.map(({ type }) => type)
  return {
    text: `
      delete from ${tableOf(schema, model)} where (${groups.join(", ")}) in
        (select * from unnest(${arrays(types, nextParameter)}))
      and ${model.sums.map((sum) => `${quoted(sum)} = 0`).join(" and ")}`,
    values: groupValues(model, changes),
  }
}

const tableOf = (schema: string, { name }: DerivedModel): string => `${quoted(schema)}.${quoted(name)}`

const arrays = (types: readonly string[], nextParameter: number): string =>
  types.map((type, index) => `$${nextParameter + index}::${type}[]`).join(", ")

const groupValues = ({ groupBy }: DerivedModel, changes: readonly Contribution[]): unknown[][] =>
  groupBy.map((_, index) => changes.map((change) => change.group[index]))

function asContributionRow(
  touched: readonly Touched[],
  row: unknown,
): { model: number; group: string[]; sums: string[] } {
  if (typeof row !== "object" || row === null || !("model" in row && "group" in row && "sums" in row)) {
    throw new TypeError("a contribution must select its groups and its sums")
  }
  const model = Number(row.model)
  const name = touched[model]?.model.name ?? ""
  if (!isTexts(row.group) || !isTexts(row.sums)) {
    throw new EngineError("bad-row", `A contribution to ${name} has no value for a group or a sum.`)
  }
  if (!row.sums.every((sum) => /^-?\d+$/.test(sum))) {
    throw new EngineError("bad-row", `A contribution to ${name} has a sum that is no whole number.`)
  }
  return { model, group: row.group, sums: row.sums }
}

const isTexts = (values: unknown): values is string[] =>
  Array.isArray(values) && values.every((value) => typeof value === "string")
