// Part of the projection kit: a change is parked as a dead letter while the history goes on without it, and redriven at
// the end as an operator would. Then everything must be as if it had never been parked.

import { applyOrPark } from "../../../query/cdc/apply/apply-or-park.ts"
import { ParkingQueue } from "../../../query/cdc/dead-letters/parking-queue.ts"
import {
  chooseDeadLetters,
  readUnit,
  settleDeadLetter,
} from "../../../query/cdc/dead-letters/stored-dead-letter.ts"
import { lockProgress } from "../../../query/cdc/lease/progress.ts"
import { redrive } from "../../../query/cdc/redrive/redrive.ts"
import { type DataRecord, originText, type Transaction } from "../../../query/cdc/vocabulary/change.ts"
import { EngineError } from "../../../query/cdc/vocabulary/errors.ts"
import type { TestGeneration } from "../../query/cdc/given/generation.ts"
import { lsn } from "../../query/cdc/given/records.ts"

/** The halves of a changed primary key share an LSN and are parked together. */
const isParked = (record: DataRecord, parked: DataRecord): boolean =>
  record.lsn === parked.lsn && record.xid === parked.xid

/** Applies transactions one after the other, without this change and with it parked. */
export async function applyParking(
  { target }: TestGeneration,
  transactions: readonly Transaction[],
  parked: DataRecord,
): Promise<void> {
  const parking = new ParkingQueue({ rows: new Set(), limit: 1_000 })
  let expected = lsn(0)
  for (const transaction of transactions) {
    const { xid, commitLsn, records } = transaction
    for (const record of records.filter((one) => isParked(one, parked))) {
      const { table, key } = record.change
      parking.add({
        raw: { ...record.origin, key: null, value: Buffer.alloc(1), headers: {} },
        table,
        key,
        place: { xid, lsn: record.lsn, commitLsn },
        error: new EngineError("bad-row", "parked by the projection kit"),
      })
    }
    const taken = parking.take([])
    const without = { ...transaction, records: records.filter((one) => !isParked(one, parked)) }
    const step = {
      expected,
      transactions: [without],
      resumeOffsets: new Map<string, bigint>(),
      heartbeatAt: null,
      ...(taken ? { parking: taken } : {}),
    }
    const readRecords = () => Promise.reject(new Error("a change was refused that should not have been"))
    const applied = await applyOrPark(target, step, 1_000, readRecords)
    if (applied.parked) parking.stored(applied.parked)
    expected = commitLsn
  }
}

/** Redrives everything that is parked. @throws what refuses it. */
export async function redriveParked(
  { db, target }: TestGeneration,
  transactions: readonly Transaction[],
): Promise<void> {
  const records = new Map(
    transactions.flatMap((one) => one.records.map((record) => [originText(record.origin), record] as const)),
  )
  const ids = await chooseDeadLetters(db, target.ref, {}, null)
  if (ids.length === 0) throw new Error("nothing was parked")
  for (const id of ids) {
    const entries = await readUnit(db, target.ref, id)
    if (entries.length === 0) continue
    const unit = entries.map((entry) => ({ entry, record: records.get(originText(entry.raw)) ?? null }))
    await db.transaction().execute(async (trx) => {
      const position = await lockProgress(trx, target.ref, target.leaseEpoch)
      const { outcome } = await redrive(trx, target, position, unit)
      const state = outcome === "applied" ? "applied" : "superseded"
      for (const { entry } of unit) await settleDeadLetter(trx, entry.id, state, 1n)
    })
  }
}
