// Executes a redrive: one dead letter (or the two halves of a primary key change) at a time, each in one Postgres transaction
// between two applies, so that nothing waits long. A dry run does all of it in one transaction that is rolled back.
import { setTimeout as sleep } from "node:timers/promises"
import { sql, type Transaction as Transaction_ } from "kysely"
import { z } from "zod"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import type { ApplyTarget } from "../apply/apply.ts"
import type { ReadableDeadLetter } from "../dead-letters/dead-letter-row.ts"
import {
  chooseDeadLetters,
  filterShape,
  noteFailure,
  readUnit,
  settleDeadLetter,
} from "../dead-letters/stored-dead-letter.ts"
import type { Decoder } from "../decode/decode.ts"
import { leaseOf } from "../lease/lease.ts"
import { lockProgress } from "../lease/progress.ts"
import { type OpenRequest, updateRequest } from "../lease/requests.ts"
import type { SourceTable } from "../projection/projection.ts"
import { classifyError } from "../vocabulary/errors.ts"
import type { Lsn } from "../vocabulary/lsn.ts"
import { readEntry, redrive } from "./redrive.ts"
import { count, type DeadLetterResult, masked, type RequestProgress, startOf } from "./request-progress.ts"

/** What executing a request about dead letters needs of the projector. */
export type DeadLetterWork = {
  target: ApplyTarget
  tables: readonly SourceTable[]
  decoder: Decoder
  /** Does the work between two applies; false when it could not be done now. */
  between: (work: () => Promise<void>) => Promise<boolean>
  signal: AbortSignal
}

export const redriveArguments = z.object({
  filter: filterShape,
  dryRun: z.boolean(),
  /** Whether the row differences of a dry run show values. */
  reveal: z.boolean(),
  /** Dead letters that failed this often are left alone. */
  maxAttempts: z.number().int(),
  /** Dead letters a second, at most. */
  rate: z.number(),
})

class RolledBack extends Error {}

export async function executeRedrive(
  deps: DeadLetterWork,
  request: OpenRequest,
  progress: RequestProgress,
): Promise<void> {
  const args = redriveArguments.parse(request.arguments)
  if (args.dryRun) await rehearse(deps, request, args, progress)
  else await redriveAll(deps, request, args, progress)
}

async function redriveAll(
  deps: DeadLetterWork,
  request: OpenRequest,
  { filter, maxAttempts, rate }: z.infer<typeof redriveArguments>,
  progress: RequestProgress,
): Promise<void> {
  const { target } = deps
  const ids = await chooseDeadLetters(target.db, target.ref, filter, { request: request.id, maxAttempts })
  progress.total = progress.done + ids.length
  const settled = new Set<bigint>()
  for (const id of ids) {
    if (settled.has(id)) continue
    const startedAt = performance.now()
    await untilDone(deps, async () => {
      const results = await redriveOne(deps, id, request.id)
      for (const result of results) {
        settled.add(BigInt(result.id))
        count(progress, result)
      }
    })
    await updateRequest(target.db, leaseOf(target), request.id, { progress })
    await sleep(Math.max(0, 1_000 / rate - (performance.now() - startedAt)))
  }
}

async function redriveOne(deps: DeadLetterWork, id: bigint, request: bigint): Promise<DeadLetterResult[]> {
  const { target } = deps
  const unit = await readAll(deps, id)
  return await target.db.transaction().execute(async (trx) => {
    const position = await lockProgress(trx, target.ref, target.leaseEpoch)
    return await attempt(trx, deps, position, unit, request)
  })
}

/** The same as a redrive of all, and nothing of it stays. */
async function rehearse(
  deps: DeadLetterWork,
  request: OpenRequest,
  { filter, reveal }: z.infer<typeof redriveArguments>,
  progress: RequestProgress,
): Promise<void> {
  const { target } = deps
  const ids = await chooseDeadLetters(target.db, target.ref, filter, null)
  Object.assign(progress, startOf({}), { total: ids.length })
  const units: Unit[] = []
  const seen = new Set<bigint>()
  for (const id of ids) {
    if (seen.has(id)) continue
    const unit = await readAll(deps, id)
    for (const { entry } of unit.entries) seen.add(entry.id)
    units.push(unit)
  }
  await untilDone(deps, async () => {
    const withoutFence = { ...deps, target: { ...target, cacheFence: noFence } }
    try {
      await target.db.transaction().execute(async (trx) => {
        const position = await lockProgress(trx, target.ref, target.leaseEpoch)
        for (const unit of units) {
          for (const result of await attempt(trx, withoutFence, position, unit, request.id)) {
            count(progress, reveal ? result : masked(result))
          }
        }
        throw new RolledBack()
      })
    } catch (error) {
      if (!(error instanceof RolledBack)) throw error
    }
  })
}

/** Nothing of a rehearsal becomes visible, so no cached answer grows old by it. */
const noFence: ApplyTarget["cacheFence"] = {
  start() {},
  async stop() {},
  succeed() {},
  fence: async () => "fenced",
  forget() {},
  announce() {},
}

/** Waits for its turn, then does the work. @throws what the work throws, or the signal's reason. */
export async function untilDone(deps: DeadLetterWork, work: () => Promise<void>): Promise<void> {
  while (!(await deps.between(work))) {
    deps.signal.throwIfAborted()
    await sleep(100)
  }
}

/** Dead letters that are applied together, or why they cannot even be read. */
type Unit = { entries: readonly ReadableDeadLetter[]; unreadable: string | null }

async function readAll(deps: DeadLetterWork, id: bigint): Promise<Unit> {
  const entries: ReadableDeadLetter[] = []
  let unreadable: string | null = null
  for (const entry of await readUnit(deps.target.db, deps.target.ref, id)) {
    try {
      entries.push(await readEntry(deps.decoder, deps.tables, entry))
    } catch (thrown) {
      const error = classifyError(thrown)
      if (error.disposition === "retry") throw thrown
      unreadable = error.message
      entries.push({ entry, record: null })
    }
  }
  return { entries, unreadable }
}

/** Redrives in the transaction, or notes there that it failed. */
async function attempt(
  trx: Transaction_<QueryDatabase>,
  { target }: DeadLetterWork,
  position: Lsn,
  unit: Unit,
  request: bigint,
): Promise<DeadLetterResult[]> {
  let failure = unit.unreadable
  if (failure === null) {
    await sql`savepoint redrive`.execute(trx)
    try {
      const { outcome, difference } = await redrive(trx, target, position, unit.entries)
      await sql`release savepoint redrive`.execute(trx)
      for (const { entry } of unit.entries) {
        await settleDeadLetter(trx, entry.id, outcome === "applied" ? "applied" : "superseded", request)
      }
      return unit.entries.map(({ entry }) => ({ ...nameOf(entry), outcome, difference }))
    } catch (thrown) {
      const error = classifyError(thrown)
      if (error.disposition === "retry") throw thrown
      await sql`rollback to savepoint redrive`.execute(trx)
      failure = error.message
    }
  }
  const error = failure
  for (const { entry } of unit.entries) await noteFailure(trx, entry.id, error, request)
  return unit.entries.map(({ entry }) => ({ ...nameOf(entry), outcome: "failed", error }))
}

const nameOf = ({ id, table, key }: ReadableDeadLetter["entry"]) => ({ id: String(id), table, key })
