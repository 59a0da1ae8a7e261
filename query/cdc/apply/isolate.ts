// Part of step 4 (apply): finds the row changes of a batch that Postgres refuses. The batch is halved until the refused
// part is one change, and all other changes are applied in their order. One bad row among n costs about 2 log2 n
// attempts: 22 among 2,000. The search runs in a Postgres transaction that is rolled back, so it changes nothing.
import { type Kysely, sql, type Transaction } from "kysely"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import { applyWithEvents, type EventsTarget } from "../events/infer-events.ts"
import type { Changes, RowChange } from "../vocabulary/change.ts"
import { classifyError, type EngineError } from "../vocabulary/errors.ts"

/** Row changes that are applied or parked together: one, or the two halves of a primary key change. */
type Unit = { transaction: Changes; records: readonly RowChange[] }

export type Refused = { record: RowChange; transaction: Changes; error: EngineError }

class RolledBack extends Error {}

/**
 * `readParts` gives the refused step, in parts that are applied one after the other. The search stops when it has found
 * more than `limit` changes: then the stream is bad, and not a row.
 * @throws EngineError or a Postgres error when the fault is not a row's.
 */
export async function findRefused(
  db: Kysely<QueryDatabase>,
  target: EventsTarget,
  readParts: (
    trx: Transaction<QueryDatabase>,
  ) => AsyncIterable<readonly Changes[]> | Iterable<readonly Changes[]>,
  limit: number,
): Promise<Refused[]> {
  const refused: Refused[] = []
  try {
    await db.transaction().execute(async (trx) => {
      for await (const part of readParts(trx)) {
        if (refused.length > limit) break
        await applyAround(trx, target, part.flatMap(unitsOf), refused)
      }
      throw new RolledBack()
    })
  } catch (error) {
    if (!(error instanceof RolledBack)) throw error
  }
  return refused
}

/** Applies the units in their order and leaves out the refused units. */
async function applyAround(
  trx: Transaction<QueryDatabase>,
  target: EventsTarget,
  units: readonly Unit[],
  refused: Refused[],
): Promise<void> {
  const error = await attempt(trx, target, units)
  if (!error) return
  const [only] = units
  if (units.length === 1 && only) {
    for (const record of only.records) refused.push({ record, transaction: only.transaction, error })
    return
  }
  const middle = Math.ceil(units.length / 2)
  await applyAround(trx, target, units.slice(0, middle), refused)
  await applyAround(trx, target, units.slice(middle), refused)
}

/** @returns the error of a refused row, or null when all rows are applied. */
async function attempt(
  trx: Transaction<QueryDatabase>,
  target: EventsTarget,
  units: readonly Unit[],
): Promise<EngineError | null> {
  await sql`savepoint attempt`.execute(trx)
  try {
    await applyWithEvents(trx, target, regroup(units))
    await sql`release savepoint attempt`.execute(trx)
    return null
  } catch (thrown) {
    const error = classifyError(thrown)
    if (error.disposition !== "dead-letter") throw thrown
    await sql`rollback to savepoint attempt`.execute(trx)
    return error
  }
}

/** Puts the units back into transactions, as far as the units hold them. */
function regroup(units: readonly Unit[]): Changes[] {
  const transactions: Changes[] = []
  let records: RowChange[] = []
  let last: Changes | null = null
  for (const unit of units) {
    if (unit.transaction !== last) {
      last = unit.transaction
      records = []
      transactions.push({ ...last, records })
    }
    records.push(...unit.records)
  }
  return transactions
}

/** The two halves of a primary key change share an LSN: one unit. Rows of a COPY share an LSN too: a unit each. */
function unitsOf(transaction: Changes): Unit[] {
  const units: Unit[] = []
  const { records } = transaction
  for (let from = 0; from < records.length; ) {
    let to = from + 1
    while (to < records.length && records[to]?.lsn === records[from]?.lsn) to++
    const sameLsn = records.slice(from, to)
    if (sameLsn.some(({ change }) => change.op === "delete")) units.push({ transaction, records: sameLsn })
    else units.push(...sameLsn.map((record) => ({ transaction, records: [record] })))
    from = to
  }
  return units
}
