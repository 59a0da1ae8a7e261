// A history delivered as a follower does it, with rows that Postgres refuses and records that cannot be read, and the
// redrive of what that parked.

import { applyOrPark, applyStagedOrPark } from "../../../../query/cdc/apply/apply-or-park.ts"
import type { StagedStep } from "../../../../query/cdc/apply/staged/apply-staged.ts"
import { toStagedRow } from "../../../../query/cdc/apply/staged/staged-record.ts"
import { createStagedTable, writeStagedRows } from "../../../../query/cdc/apply/staged/staged-rows.ts"
import { type Placement, park, readDeadLetters } from "../../../../query/cdc/dead-letters/park.ts"
import { ParkingQueue } from "../../../../query/cdc/dead-letters/parking-queue.ts"
import {
  chooseDeadLetters,
  readUnit,
  settleDeadLetter,
} from "../../../../query/cdc/dead-letters/stored-dead-letter.ts"
import { lockProgress } from "../../../../query/cdc/lease/progress.ts"
import { type Redriven, redrive } from "../../../../query/cdc/redrive/redrive.ts"
import type { DataRecord, Origin, RawRecord, Transaction } from "../../../../query/cdc/vocabulary/change.ts"
import { classifyError, EngineError } from "../../../../query/cdc/vocabulary/errors.ts"
import type { TestGeneration } from "./generation.ts"
import { lsn } from "./records.ts"

/** Transactions that are applied at once. */
export type Step = {
  transactions: readonly Transaction[]
  /** Records, of these transactions or of later ones, that were read before the step and could not be. */
  unreadable?: readonly { record: DataRecord; isKeyKnown: boolean }[]
  /** Each transaction as one that is too large for memory. */
  isStaged?: boolean
  /**
   * Which of the records that no transaction has missed yet are taken for those that a transaction lacks: as many; by
   * default those themselves.
   */
  standIns?: (open: readonly DataRecord[], missing: readonly DataRecord[]) => readonly DataRecord[]
}

export type ParkedHistory = ReturnType<typeof createParkedHistory>

type Choose = NonNullable<Step["standIns"]>

const limit = 10_000

/** A record's bytes: like Avro's, they hold its texts as they are. */
const bytesOf = ({ change }: DataRecord): Buffer =>
  Buffer.from([...change.key, ...("row" in change ? change.row : [])].map(String).join("\0"))

/** The history with xids, predecessors and offsets, so that a record is told from every other. */
export function numbered(history: readonly Transaction[]): Transaction[] {
  let offset = 0n
  return history.map((one, index) => ({
    ...one,
    records: one.records.map((record) => ({
      ...record,
      xid: one.xid,
      previousCommitLsn: history[index - 1]?.commitLsn ?? lsn(0),
      origin: { ...record.origin, offset: ++offset },
    })),
  }))
}

/** `refusing` are the tables whose rows may be refused. */
export function createParkedHistory(generation: TestGeneration, refusing: readonly string[] = ["things"]) {
  const { db, target, schema, admin } = generation
  let parking = new ParkingQueue({ rows: new Set(), limit })
  let position = lsn(0)
  /** Cannot be read. */
  const unread = new Set<DataRecord>()
  /** Of these, those that no transaction has missed yet. */
  const unplaced = new Set<DataRecord>()
  const records = new Map<bigint, DataRecord>()

  const readRecords = async (origins: readonly Origin[]): Promise<RawRecord[]> =>
    origins.map((origin) => {
      const record = records.get(origin.offset)
      return { ...origin, key: null, value: record ? bytesOf(record) : null, headers: {} }
    })

  return {
    /** Refuses rows for which the condition holds, or (null) none. */
    async refuse(condition: string | null): Promise<void> {
      for (const table of refusing) {
        await admin.query(`alter table ${schema}.${table} drop constraint if exists refused`)
        if (condition === null) continue
        await admin.query(
          `alter table ${schema}.${table} add constraint refused check (not (${condition})) not valid`,
        )
      }
    },

    /** Begins anew, with nothing applied and nothing parked. */
    async empty(): Promise<void> {
      await generation.empty()
      parking = new ParkingQueue({ rows: new Set(), limit })
      position = lsn(0)
      unread.clear()
      unplaced.clear()
      records.clear()
    },

    async apply({ transactions, unreadable = [], isStaged = false, standIns }: Step): Promise<void> {
      for (const { record, isKeyKnown } of unreadable) {
        const { table, key } = record.change
        records.set(record.origin.offset, record)
        const [raw] = await readRecords([record.origin])
        if (!raw) throw new Error("there is no such record")
        const error = new EngineError("undecodable-record", "it cannot be read")
        parking.add({ raw, table, key: isKeyKnown ? key : null, place: null, error })
        unread.add(record)
        unplaced.add(record)
      }
      for (const record of transactions.flatMap((one) => one.records))
        records.set(record.origin.offset, record)
      const choose: Choose = standIns ?? ((_open, missing) => missing)
      if (isStaged) for (const one of transactions) await applyTogether([one], true, choose)
      else await applyTogether(transactions, false, choose)
    },

    /** Nothing more can be missed: records that no transaction has missed were rows of none. */
    async settle(): Promise<void> {
      const placements = [...unplaced].map(({ origin }) => ({ origin, missedBy: null, wasApplied: false }))
      unplaced.clear()
      const taken = parking.take(placements)
      if (taken) await db.transaction().execute((trx) => park(trx, target.ref, taken))
    },

    redriveOne,

    /** Redrives some, in the order of history. */
    async redriveSome(isChosen: () => boolean): Promise<void> {
      for (const id of await chooseDeadLetters(db, target.ref, {}, null)) if (isChosen()) await redriveOne(id)
    },

    /** Redrives until nothing more can be, each round in the order that `arrange` makes of history's. @returns what is left. */
    async redriveAll(
      arrange: (ids: readonly bigint[]) => readonly bigint[] = (ids) => ids,
    ): Promise<bigint[]> {
      for (;;) {
        const ids = await chooseDeadLetters(db, target.ref, {}, null)
        let settled = 0
        for (const id of arrange(ids)) if (typeof (await redriveOne(id)) === "string") settled++
        if (settled === 0) return ids
      }
    },
  }

  /** @returns what came of it; null when it is parked no longer. */
  async function redriveOne(id: bigint): Promise<Redriven["outcome"] | EngineError | null> {
    try {
      return await db.transaction().execute(async (trx) => {
        const expected = await lockProgress(trx, target.ref, target.leaseEpoch)
        const entries = await readUnit(trx, target.ref, id)
        if (entries.length === 0) return null
        if (entries.some(({ raw }) => raw.value === null)) throw new EngineError("undecodable-record", "gone")
        const unit = entries.map((entry) => ({ entry, record: records.get(entry.raw.offset) ?? null }))
        const { outcome } = await redrive(trx, target, expected, unit)
        const state = outcome === "applied" ? "applied" : "superseded"
        for (const entry of entries) await settleDeadLetter(trx, entry.id, state, 1n)
        return outcome
      })
    } catch (thrown) {
      const error = classifyError(thrown)
      if (error.disposition !== "dead-letter") throw thrown
      return error
    } finally {
      parking.reset((await readDeadLetters(db, target.ref)).rows)
    }
  }

  async function applyTogether(
    whole: readonly Transaction[],
    isStaged: boolean,
    choose: Choose,
  ): Promise<void> {
    const placements: Placement[] = []
    let previousCommitLsn = position
    const transactions = whole.map((one) => {
      const missedBy = { commitLsn: one.commitLsn, previousCommitLsn }
      previousCommitLsn = one.commitLsn
      const missing = one.records.filter((record) => unread.has(record))
      for (const record of choose([...unplaced], missing)) {
        unplaced.delete(record)
        placements.push({ origin: record.origin, missedBy, wasApplied: false })
      }
      return { ...one, records: one.records.filter((record) => !unread.has(record)) }
    })
    const taken = parking.take(placements)
    const step = {
      expected: position,
      resumeOffsets: new Map<string, bigint>(),
      ...(taken ? { parking: taken } : {}),
    }
    const { parked } = isStaged
      ? await applyStaged(transactions, step)
      : await applyOrPark(target, { ...step, transactions, heartbeatAt: null }, limit, readRecords)
    if (parked) parking.stored(parked)
    position = transactions.at(-1)?.commitLsn ?? position
  }

  async function applyStaged(
    [transaction]: readonly Transaction[],
    step: Omit<StagedStep, "transaction" | "rows">,
  ) {
    if (!transaction) throw new Error("nothing is staged")
    await createStagedTable(target)
    const { length: rows } = transaction.records
    if (rows > 0) await writeStagedRows(target, transaction.records.map(toStagedRow))
    return await applyStagedOrPark(target, { ...step, transaction, rows }, limit, readRecords, () => {})
  }
}
