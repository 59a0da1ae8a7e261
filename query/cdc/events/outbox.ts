// Part of step 4 (apply): writes events into the outbox, in the transaction that stores the rows they tell of. Every
// event has one identity: its aggregate with its number. The number of an inferred event is made from the commit LSN of
// its transaction (`inferred-0-320`). The outbox takes an identity once, so a replay tells no event twice.
import { CompiledQuery, sql, type Transaction } from "kysely"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import { quoted } from "../../../db/sql-names.ts"
import type { GenerationRef } from "../lease/progress.ts"
import { columnForms } from "../projection/column-forms.ts"
import type { MirroredTable, Outbox, Projections } from "../projection/projection.ts"
import { type Changes, keyText, type Value } from "../vocabulary/change.ts"
import { formatLsn, type Lsn } from "../vocabulary/lsn.ts"

export type OutboxTarget = { projections: Projections; ref: GenerationRef; schema: string }

export type InferredEvent = {
  aggregate: string
  type: string
  data: Readonly<Record<string, unknown>>
  commitLsn: Lsn
  /** Null when the transaction is not known. */
  xid: string | null
}

/** The columns selected of a recorded row beside its key, in the sequence of `told`. */
export const toldOf = ({ recorded }: Outbox): string =>
  [
    `coalesce(${recorded.type}, 'Unknown')`,
    recorded.occurredAt,
    recorded.traceparent,
    `coalesce(${recorded.data}, '{}')`,
  ].join(", ")

export const told =
  "source, aggregate, number, inferred, type, occurred_at, traceparent, data, commit_lsn, xid"

export function recordedTable({ outbox, tables }: Projections): MirroredTable | undefined {
  return tables.find(({ name }) => name === outbox?.recordedIn)
}

/** Writes the events that these changes recorded, from their rows as stored now, in the order of the changes. */
export async function writeRecorded(
  trx: Transaction<QueryDatabase>,
  { projections, ref, schema }: OutboxTarget,
  transactions: readonly Changes[],
): Promise<void> {
  const { outbox } = projections
  const table = recordedTable(projections)
  if (!outbox || !table) return
  const touched = new Map<string, { key: readonly Value[]; commitLsn: Lsn; xid: string }>()
  for (const { commitLsn, xid, records } of transactions) {
    for (const { change } of records) {
      if (change.op !== "upsert" || change.table !== table.name) continue
      const id = keyText(change.key)
      // An event belongs to the transaction that inserted its row, whatever later transactions do to the row.
      if (!touched.has(id)) touched.set(id, { key: change.key, commitLsn, xid })
    }
  }
  if (touched.size === 0) return
  const rows = [...touched.values()]
  const key = table.key.map(({ name }) => `recorded.${quoted(name)}`)
  const parameters = table.key.map(({ type }, index) => `$${index + 2}::${columnForms[type].parameter}[]`)
  const [aggregateType, numberType] = table.key.map(({ type }) => type)
  await trx.executeQuery(
    CompiledQuery.raw(
      `insert into cdc.outbox (${told})
       select $1, ${key[0]}::text, ${key[1]}::text, false, ${toldOf(outbox)}, touched.commit_lsn, touched.xid
       from unnest(${parameters.join(", ")}, $4::bigint[], $5::bigint[]) with ordinality
         as touched (aggregate, number, commit_lsn, xid, nth)
       join ${quoted(schema)}.${quoted(table.name)} recorded
         on ${key[0]} = touched.aggregate::${aggregateType} and ${key[1]} = touched.number::${numberType}
       where not recorded.deleted
       order by touched.nth
       on conflict (source, aggregate, number) do nothing`,
      [
        ref.source,
        rows.map((row) => row.key[0]),
        rows.map((row) => row.key[1]),
        rows.map(({ commitLsn }) => commitLsn),
        rows.map(({ xid }) => xid),
      ],
    ),
  )
}

/**
 * Writes inferred events. An event is left out if its transaction has told of the aggregate already, or if the recorded
 * event of the transaction is a dead letter: the redrive of the dead letter will tell it.
 */
export async function writeInferred(
  trx: Transaction<QueryDatabase>,
  { projections, ref }: OutboxTarget,
  events: readonly InferredEvent[],
): Promise<void> {
  const { outbox } = projections
  if (!outbox || events.length === 0) return
  await sql`
    insert into cdc.outbox (${sql.raw(told)})
    select ${ref.source}, event.aggregate, event.number, true, event.type, clock_timestamp(), null,
      event.data::jsonb, event.commit_lsn, event.xid
    from unnest(
      ${events.map(({ aggregate }) => aggregate)}::text[],
      ${events.map(({ commitLsn }) => numberAt(commitLsn))}::text[],
      ${events.map(({ type }) => type)}::text[],
      ${events.map(({ data }) => JSON.stringify(data))}::text[],
      ${events.map(({ commitLsn }) => commitLsn)}::bigint[],
      ${events.map(({ xid }) => xid)}::bigint[]
    ) with ordinality as event (aggregate, number, type, data, commit_lsn, xid, nth)
    where not exists (
      select from cdc.outbox known
      where known.source = ${ref.source} and known.aggregate = event.aggregate and known.xid = event.xid)
    and not exists (
      select from cdc.dead_letters parked
      where parked.source = ${ref.source} and parked.generation = ${ref.generation} and parked.state = 'parked'
        and parked.table_name = ${outbox.recordedIn}
        and (parked.xid = event.xid or parked.commit_lsn = event.commit_lsn)
        and (parked.row_key is null or parked.row_key[1] = event.aggregate))
    order by event.nth
    on conflict (source, aggregate, number) do nothing`.execute(trx)
}

/** The number holds no slash, so that the part of an event's id after the last slash is always its number. */
const numberAt = (commitLsn: Lsn): string => `inferred-${formatLsn(commitLsn).replace("/", "-")}`
