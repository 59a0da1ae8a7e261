// Step 4a-e of the flow: takes transactions into the mirrored tables, the derived models and the outbox. If a
// transaction changed an aggregate and recorded no event, its event is inferred from the aggregate's rows before and
// after. These rows must show the changes of this transaction only, so other transactions that change the aggregate are
// applied apart from it, in the same Postgres transaction.
// Example: 811, 812, 813 and 814 change one aggregate, and only 813 records no event: the parts are 811 with 812, then
// 813, then 814.
import type { Transaction } from "kysely"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import type { Outbox } from "../projection/projection.ts"
import { applyChanges, type Changed, type ChangesTarget, tablesByName } from "../rows/apply-changes.ts"
import { foldTransactions } from "../rows/batch.ts"
import type { Changes } from "../vocabulary/change.ts"
import { type AggregateImage, differencesOf, emptyImage, readImages } from "./aggregate-image.ts"
import { type InferredEvent, type OutboxTarget, writeInferred, writeRecorded } from "./outbox.ts"

export type EventsTarget = ChangesTarget & OutboxTarget

/** An aggregate that a transaction changed without recording an event. */
type Unrecorded = { aggregate: string; transaction: Changes }

/** @throws EngineError or a Postgres error; the transaction around it must then abort. */
export async function applyWithEvents(
  trx: Transaction<QueryDatabase>,
  target: EventsTarget,
  transactions: readonly Changes[],
): Promise<Changed> {
  const tables = tablesByName(target.projections)
  const { outbox } = target.projections
  if (!outbox) return await applyChanges(trx, target, foldTransactions(transactions, tables))
  const total: Changed = { rows: 0, written: 0, cacheKeys: new Set() }
  for (const part of cutAtUnrecorded(transactions, outbox)) {
    const aggregates = part.unrecorded.map(({ aggregate }) => aggregate)
    const before = await readImages(trx, target, aggregates)
    const changed = await applyChanges(trx, target, foldTransactions(part.transactions, tables))
    await writeRecorded(trx, target, part.transactions)
    await inferEvents(trx, target, part.unrecorded, before)
    total.rows += changed.rows
    total.written += changed.written
    for (const key of changed.cacheKeys) total.cacheKeys.add(key)
  }
  return total
}

type Part = { transactions: Changes[]; unrecorded: Unrecorded[] }

/** If a transaction changed an aggregate without a recorded event, no other of its part changes the aggregate. */
export function cutAtUnrecorded(transactions: readonly Changes[], outbox: Outbox): Part[] {
  const parts: Part[] = []
  let part: Part = { transactions: [], unrecorded: [] }
  let touched = new Set<string>()
  let apart = new Set<string>()
  for (const transaction of transactions) {
    const { changed, unrecorded } = aggregatesOf(transaction, outbox)
    const mixes = [...changed].some((one) => apart.has(one)) || unrecorded.some((one) => touched.has(one))
    if (mixes) {
      parts.push(part)
      part = { transactions: [], unrecorded: [] }
      touched = new Set()
      apart = new Set()
    }
    part.transactions.push(transaction)
    for (const aggregate of changed) touched.add(aggregate)
    for (const aggregate of unrecorded) {
      apart.add(aggregate)
      part.unrecorded.push({ aggregate, transaction })
    }
  }
  return part.transactions.length > 0 ? [...parts, part] : parts
}

function aggregatesOf({ records }: Changes, outbox: Outbox): { changed: Set<string>; unrecorded: string[] } {
  const changed = new Set<string>()
  const recorded = new Set<string>()
  for (const { change } of records) {
    const aggregate = String(change.key[0])
    if (outbox.inferredFrom.includes(change.table)) changed.add(aggregate)
    if (outbox.recordedIn === change.table && change.op === "upsert") recorded.add(aggregate)
  }
  return { changed, unrecorded: [...changed].filter((aggregate) => !recorded.has(aggregate)) }
}

async function inferEvents(
  trx: Transaction<QueryDatabase>,
  target: EventsTarget,
  unrecorded: readonly Unrecorded[],
  before: ReadonlyMap<string, AggregateImage>,
): Promise<void> {
  const aggregates = unrecorded.map(({ aggregate }) => aggregate)
  const after = await readImages(trx, target, aggregates)
  const events = unrecorded.flatMap(({ aggregate, transaction }) =>
    inferEvent(target, aggregate, transaction, before.get(aggregate), after.get(aggregate)),
  )
  await writeInferred(trx, target, events)
}

/** At most one event; none if no row has changed in the end. */
export function inferEvent(
  { projections }: Pick<EventsTarget, "projections">,
  aggregate: string,
  { commitLsn, xid }: { commitLsn: InferredEvent["commitLsn"]; xid: string | null },
  before: AggregateImage = emptyImage,
  after: AggregateImage = emptyImage,
): InferredEvent[] {
  const isWhole = before.isWhole && after.isWhole
  const differences = differencesOf(projections, before.tables, after.tables)
  if (!projections.outbox || (isWhole && differences.length === 0)) return []
  const { type, data } = projections.outbox.infer({
    aggregate,
    before: before.tables,
    after: after.tables,
    differences,
    isWhole,
  })
  return [{ aggregate, type, data, commitLsn, xid }]
}
