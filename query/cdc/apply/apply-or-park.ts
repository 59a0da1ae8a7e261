// Step 4 of the flow, with its refusals: applies a step of the progress. If Postgres refuses rows, these are found,
// their raw records are read again from Kafka, and the step is applied without the rows and with their dead letters.
import type { Parking } from "../dead-letters/park.ts"
import { type DeadLetter, type Origin, originText, type RawRecord } from "../vocabulary/change.ts"
import { classifyError } from "../vocabulary/errors.ts"
import { type Applied, type ApplyStep, type ApplyTarget, applyTransactions } from "./apply.ts"
import { findRefused, type Refused } from "./isolate.ts"
import { applyStaged, readStagedParts, type StagedStep } from "./staged/apply-staged.ts"

/** Reads raw records again, by origin, in the sequence asked for. */
export type ReadRecords = (origins: readonly Origin[]) => Promise<RawRecord[]>
export type AppliedOrParked = { applied: Applied; parked: Parking | undefined }

/**
 * Applies a step. Changes that Postgres refuses are parked, and all other changes are applied.
 * @returns the counts of the apply, and the parking that was stored with it.
 */
export async function applyOrPark(
  target: ApplyTarget,
  step: ApplyStep,
  limit: number,
  readRecords: ReadRecords,
): Promise<AppliedOrParked> {
  return await orPark({
    step,
    limit,
    readRecords,
    apply: (parking, refused) => applyTransactions(target, { ...without(step, refused), ...parking }),
    find: () => findRefused(target.db, target, () => [step.transactions], limit),
  })
}

/** The same for a transaction that is too large for memory. `onRows` is told how many row changes have been taken. */
export async function applyStagedOrPark(
  target: ApplyTarget,
  step: StagedStep,
  limit: number,
  readRecords: ReadRecords,
  onRows: (rows: number) => void,
): Promise<AppliedOrParked> {
  return await orPark({
    step,
    limit,
    readRecords,
    apply: (parking, refused) =>
      applyStaged(target, { ...step, ...parking }, { onRows, leftOut: originsOf(refused) }),
    find: () =>
      findRefused(target.db, target, (trx) => readStagedParts(trx, target, step.transaction), limit),
  })
}

async function orPark(work: {
  step: { parking?: Parking }
  limit: number
  readRecords: ReadRecords
  apply: (parking: { parking?: Parking }, refused: readonly Refused[]) => Promise<Applied>
  find: () => Promise<Refused[]>
}): Promise<AppliedOrParked> {
  const { step, limit } = work
  try {
    return { applied: await work.apply({}, []), parked: step.parking }
  } catch (thrown) {
    if (classifyError(thrown).disposition !== "dead-letter") throw thrown
    const refused = await work.find()
    const raws = await work.readRecords(refused.map(({ record }) => record.origin))
    const before = step.parking ?? { changes: [], placements: [], rows: new Set<string>(), limit }
    const parking = {
      ...before,
      changes: [...before.changes, ...refused.flatMap((bad, index) => toDeadLetters(bad, raws[index]))],
    }
    return { applied: await work.apply({ parking }, refused), parked: parking }
  }
}

function toDeadLetters({ record, transaction, error }: Refused, raw: RawRecord | undefined): DeadLetter[] {
  if (!raw) return []
  const { commitLsn, xid } = transaction
  const { table, key } = record.change
  return [{ raw, table, key, place: { xid, lsn: record.lsn, commitLsn }, error }]
}

function without(step: ApplyStep, refused: readonly Refused[]): ApplyStep {
  if (refused.length === 0) return step
  const bad = originsOf(refused)
  const transactions = step.transactions.map((transaction) => ({
    ...transaction,
    records: transaction.records.filter(({ origin }) => !bad.has(originText(origin))),
  }))
  return { ...step, transactions }
}

const originsOf = (refused: readonly Refused[]): Set<string> =>
  new Set(refused.map(({ record }) => originText(record.origin)))
