// Part of step 4 (apply): a row says that the personal data of a subject was erased at the source. The rows of the
// subject follow as any row does. Other copies that the engine keeps are forgotten here, in the same transaction: bytes
// of dead letters, rows that dry runs have shown, rows of generations that serve no more, transactions staged there.
import { CompiledQuery, sql, type Transaction } from "kysely"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import { quoted } from "../../../db/sql-names.ts"
import type { CacheFence } from "../cache/fence.ts"
import type { GenerationRef } from "../lease/progress.ts"
import type { Erasure, MirroredTable, Projections } from "../projection/projection.ts"
import type { Changes } from "../vocabulary/change.ts"

type ErasureTarget = { projections: Projections; ref: GenerationRef; schema: string; cacheFence: CacheFence }

type Subjects = { erasure: Erasure; schema: string; source: string; subjects: readonly string[] }

/** The subjects that are erased by these changes. */
export function erasedIn({ erasure, tables }: Projections, transactions: readonly Changes[]): string[] {
  const table = tables.find(({ name }) => name === erasure?.table)
  if (!erasure || !table) return []
  const column = table.key.length + table.columns.findIndex(({ name }) => name === erasure.column)
  const erased = new Set<string>()
  for (const { records } of transactions) {
    for (const { change } of records) {
      if (change.op !== "upsert" || change.table !== table.name || change.row[column] === null) continue
      erased.add(String(change.key[0]))
    }
  }
  return [...erased]
}

/** To be called last before the cache is fenced, when all rows and all dead letters are stored. */
export async function forgetErased(
  trx: Transaction<QueryDatabase>,
  target: ErasureTarget,
  subjects: readonly string[],
  /** Keys of the answers that this makes stale; "all" where there are too many to know each key. */
  cacheKeys: ReadonlySet<string> | "all",
): Promise<void> {
  const { projections, ref, schema } = target
  if (!projections.erasure || subjects.length === 0) return
  const at = { erasure: projections.erasure, schema, source: ref.source, subjects }
  await forgetBytes(trx, at)
  await forgetShownRows(trx, at)
  await forgetIdleRows(trx, at, ref.generation, projections.tables)
  target.cacheFence.forget(cacheKeys === "all" ? cacheKeys : [...cacheKeys])
}

/** The same for all subjects that a fresh generation holds as erased: the erasing change may lie before its base. */
export async function forgetErasedBefore(
  trx: Transaction<QueryDatabase>,
  target: ErasureTarget,
): Promise<void> {
  const { erasure, tables } = target.projections
  const key = tables.find(({ name }) => name === erasure?.table)?.key[0]
  if (!erasure || !key) return
  const { rows } = await sql<{ subject: string }>`
    select ${sql.ref(key.name)}::text as subject from ${sql.table(`${target.schema}.${erasure.table}`)}
    where ${sql.ref(erasure.column)} is not null and not deleted`.execute(trx)
  await forgetErased(
    trx,
    target,
    rows.map(({ subject }) => subject),
    "all",
  )
}

/** Rows of the subjects in $1, as `theirs` (table_name, aggregate). */
const rowsOf = (erasure: Erasure, schema: string): string =>
  `theirs (table_name, aggregate) as materialized (${erasure.rows(quoted(schema), "$1::text[]")})`

/** Shorter ids may stand in the bytes of other subjects too. */
const shortestSoughtId = 8
/** Only a base load brings more subjects at once; then the rows tell every aggregate that is not deleted. */
const mostSought = 1_000

/**
 * SQL of the dead letters of the subjects' rows. A row whose changes are all dead letters is in no read model: then the
 * record of one dead letter names the subject, and the others have its aggregate.
 * A dead letter with a later change of its row may hold personal data, and no read model misses it: it is settled. A
 * dead letter without a later change holds the source's present row, which has nothing personal: it stays as it is. An
 * unreadable dead letter may hold personal data and be missed: it loses its bytes and stays parked until discarded.
 */
export const deadLettersOfSubjects = (erasure: Erasure, schema: string): string => `
  ${rowsOf(erasure, schema)}, named (aggregate) as materialized (
    select distinct d.row_key[1] from cdc.dead_letters d
    where d.source = $2 and d.row_key is not null and d.record_value is not null
      and cardinality($1::text[]) <= ${mostSought} and exists (
        select from unnest($1::text[]) known (id)
        where octet_length(id) >= ${shortestSoughtId}
          and position(convert_to(id, 'UTF8') in d.record_value) > 0)
  ), entries as (
    select d.id, d.state, d.record_key is not null or d.record_value is not null as has_bytes,
      d.state = 'parked' and d.lsn is null as is_unreadable,
      exists (
        select from (
          select value from jsonb_each_text(d.value_places) union all select value from jsonb_each_text(d.taken_places)
        ) noted (place)
        where (split_part(place, '/', 1)::bigint, split_part(place, '/', 2)::bigint)
            > (d.commit_lsn, d.lsn)
      ) or exists (
        select from cdc.dead_letters later
        where later.source = d.source and later.generation = d.generation
          and later.table_name = d.table_name and later.row_key = d.row_key
          and (later.commit_lsn, later.lsn) > (d.commit_lsn, d.lsn)
      ) as is_followed
    from cdc.dead_letters d
    where d.source = $2 and (
      (d.table_name, d.row_key[1]) in (select table_name, aggregate from theirs)
      or d.row_key[1] in (select aggregate from named)
      or d.row_key is null and exists (
        select from (select aggregate from theirs union select unnest($1::text[])) known (id)
        where octet_length(id) >= ${shortestSoughtId} and (
          position(convert_to(id, 'UTF8') in coalesce(d.record_value, '')) > 0
          or position(convert_to(id, 'UTF8') in coalesce(d.record_key, '')) > 0)
      ))
  )`

async function forgetBytes(trx: Transaction<QueryDatabase>, at: Subjects): Promise<void> {
  // A dead letter that was not published yet is not published any more.
  await execute(
    trx,
    `with ${deadLettersOfSubjects(at.erasure, at.schema)}
     update cdc.dead_letters d
     set record_key = null, record_value = null, record_headers = '{}', message = 'erased', last_error = null,
       published_at = coalesce(published_at, now()),
       state = case when e.state <> 'parked' or e.is_unreadable then d.state else 'erased' end,
       resolved_at = case when e.is_unreadable then null else coalesce(resolved_at, now()) end
     from entries e
     where d.id = e.id and (e.state <> 'parked' or e.is_unreadable or e.is_followed)`,
    [at.subjects, at.source],
  )
}

/** Removes the rows that redrives and their dry runs have shown. */
async function forgetShownRows(trx: Transaction<QueryDatabase>, at: Subjects): Promise<void> {
  await execute(
    trx,
    `with ${rowsOf(at.erasure, at.schema)}
     update cdc.requests r set progress = jsonb_set(progress, '{results}', '[]')
     where source = $2 and exists (
       select from jsonb_path_query(progress, '$.results[*]') shown
       where shown->'key' = 'null'
         or (shown->>'table', shown->'key'->>0) in (select table_name, aggregate from theirs))`,
    [at.subjects, at.source],
  )
}

/** Generations that serve no more do not follow the stream either; their tables may have other columns, or be gone. */
async function forgetIdleRows(
  trx: Transaction<QueryDatabase>,
  at: Subjects,
  generation: number,
  tables: readonly MirroredTable[],
): Promise<void> {
  const keys = tables.map(({ name, key }) => [name, key[0]?.name ?? ""] as const)
  const { rows } = await sql<{ schema_name: string; table_name: string; key: string }>`
    select g.schema_name, c.table_name, c.column_name as key
    from cdc.generations g
    join information_schema.columns c on c.table_schema = g.schema_name
    join unnest(${keys.map(([name]) => name)}::text[], ${keys.map(([, key]) => key)}::text[]) mirrored (name, key)
      on mirrored.name = c.table_name and mirrored.key = c.column_name
    where g.source = ${at.source} and g.generation <> ${generation}`.execute(trx)
  for (const { schema_name, table_name, key } of rows) {
    await execute(
      trx,
      `with ${rowsOf(at.erasure, at.schema)}
       delete from ${quoted(schema_name)}.${quoted(table_name)}
       where ${quoted(key)}::text in (select aggregate from theirs where table_name = $2)`,
      [at.subjects, table_name],
    )
  }
  for (const schema of new Set(rows.map(({ schema_name }) => schema_name))) {
    await execute(trx, `drop table if exists ${quoted(schema)}._staged_rows`, [])
  }
}

async function execute(
  trx: Transaction<QueryDatabase>,
  text: string,
  parameters: readonly unknown[],
): Promise<void> {
  await trx.executeQuery(CompiledQuery.raw(text, [...parameters]))
}
