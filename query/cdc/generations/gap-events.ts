// Part of a base load, in the transaction of its switch: writes the events of changes that no apply has seen, because
// the fresh generation got them with its rows. Recorded events that the outbox does not know are written; at the first
// load these are the whole history. After a rebuild an event is inferred for every aggregate that differs from the
// former generation without a recorded event.
import { CompiledQuery, sql, type Transaction } from "kysely"
import { z } from "zod"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import { quoted } from "../../../db/sql-names.ts"
import { columnNames, imagedTables, readImages } from "../events/aggregate-image.ts"
import { inferEvent } from "../events/infer-events.ts"
import { recordedTable, told, toldOf, writeInferred } from "../events/outbox.ts"
import type { Projections } from "../projection/projection.ts"
import type { Lsn } from "../vocabulary/lsn.ts"
import type { Generation } from "./generations.ts"

/** How many aggregates are compared together. */
const chunkAggregates = 200

/** `former` still serves, and is null at the first load. `base` is the commit LSN of the fresh copy. */
export async function tellGap(
  trx: Transaction<QueryDatabase>,
  load: { projections: Projections; next: Generation; former: Generation | null; base: Lsn },
): Promise<void> {
  const { projections, next, former } = load
  if (!projections.outbox) return
  const { rows } = await sql<{ last: bigint }>`
    select coalesce(max(id), 0) as last from cdc.outbox where source = ${next.source}`.execute(trx)
  await tellRecorded(trx, load)
  // Tables of different versions cannot be compared.
  if (former?.projectionVersion === next.projectionVersion) {
    await tellDifferences(trx, { ...load, former }, rows[0]?.last ?? 0n)
  }
}

/** No event overtakes an earlier event of its aggregate, whatever the source's clock showed. */
async function tellRecorded(
  trx: Transaction<QueryDatabase>,
  { projections, next, base }: { projections: Projections; next: Generation; base: Lsn },
): Promise<void> {
  const { outbox } = projections
  const table = recordedTable(projections)
  if (!outbox || !table) return
  const [aggregate, number] = table.key.map(({ name }) => `recorded.${quoted(name)}`)
  await trx.executeQuery(
    CompiledQuery.raw(
      `insert into cdc.outbox (${told})
       select $1, ${aggregate}::text, ${number}::text, false, ${toldOf(outbox)}, $2::bigint, null
       from ${quoted(next.schema)}.${quoted(table.name)} recorded
       where not recorded.deleted and not exists (
         select from cdc.outbox known where known.source = $1 and known.aggregate = ${aggregate}::text
           and known.number = ${number}::text)
       order by max(${outbox.recorded.occurredAt}) over (partition by ${aggregate} order by ${number}),
         ${aggregate}, ${number}
       on conflict (source, aggregate, number) do nothing`,
      [next.source, base],
    ),
  )
}

type Comparison = { projections: Projections; next: Generation; former: Generation; base: Lsn }

/** @param last the last id in the outbox before the recorded events of the gap. */
async function tellDifferences(
  trx: Transaction<QueryDatabase>,
  { projections, next, former, base }: Comparison,
  last: bigint,
): Promise<void> {
  const { source } = next
  // The change of a dead letter is no new change: the fresh generation holds the mended row.
  await sql`
    declare differing no scroll cursor for
    select aggregate from (${sql.raw(differingAggregates(projections, next, former))}) differing
    where not exists (
      select from cdc.outbox known
      where known.source = ${sql.lit(source)} and known.aggregate = differing.aggregate
        and known.id > ${sql.lit(last)})
    and not exists (
      select from cdc.dead_letters parked
      where parked.source = ${sql.lit(source)} and parked.generation = ${sql.lit(former.generation)}
        and parked.state = 'parked' and (parked.row_key is null or parked.row_key[1] = differing.aggregate))
    order by 1`.execute(trx)
  for (;;) {
    const { rows } = await sql`fetch forward ${sql.lit(chunkAggregates)} from differing`.execute(trx)
    if (rows.length === 0) break
    const aggregates = rows.map((row) => differingShape.parse(row).aggregate)
    const before = await readImages(trx, { projections, schema: former.schema }, aggregates)
    const after = await readImages(trx, { projections, schema: next.schema }, aggregates)
    const events = aggregates.flatMap((aggregate) =>
      inferEvent(
        { projections },
        aggregate,
        { commitLsn: base, xid: null },
        before.get(aggregate),
        after.get(aggregate),
      ),
    )
    await writeInferred(trx, { projections, ref: next, schema: next.schema }, events)
  }
  await sql`close differing`.execute(trx)
}

const differingShape = z.object({ aggregate: z.string() })

const differingAggregates = (projections: Projections, next: Generation, former: Generation): string =>
  imagedTables(projections)
    .map((table) => {
      const rowsOf = ({ schema }: Generation): string =>
        `select ${quoted(table.key[0]?.name ?? "")}::text as aggregate,
           array[${columnNames(table)
             .map((name) => `${quoted(name)}::text`)
             .join(", ")}] as row
         from ${quoted(schema)}.${quoted(table.name)} where not deleted`
      return `(${rowsOf(next)} except ${rowsOf(former)}) union all (${rowsOf(former)} except ${rowsOf(next)})`
    })
    .map((both) => `select aggregate from (${both}) of_table`)
    .join(" union ")
