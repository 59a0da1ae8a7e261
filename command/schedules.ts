// The work that every instance of the command service does by itself: it asks the payment provider again, cancels orders
// whose reservation is over, and deletes expired idempotency keys.
import type { Kysely } from "kysely"
import type { Logger } from "pino"
import type { CommandDatabase } from "../db/command-schema.ts"
import { purgeExpiredKeys } from "./execute/idempotency.ts"
import { expireReservations } from "./orders/expire.ts"
import { claimDueCalls } from "./orders/store/calls.ts"
import type { Settle } from "./payments/settle.ts"
import { createSchedule, type Schedule } from "./schedule.ts"

const purgePauseMs = 5 * 60_000
/** Most requests that one instance has open with the provider at the same time. */
const callsAtOnce = 10

export function createSchedules(options: {
  db: Kysely<CommandDatabase>
  settle: Settle
  now: () => Date
  pauseMs: number
  /** How long a request to the provider belongs to the instance that asks it first; each attempt doubles this time. */
  holdMs: number
  keyTtlHours: number
  logger: Logger
}): Schedule {
  const { db, settle, now, pauseMs, holdMs, keyTtlHours, logger } = options
  const timing = { random: Math.random, logger }
  const schedules = [
    createSchedule({
      name: "open requests to the payment provider",
      pauseMs,
      round: async (stopping) => {
        for (let claimed = callsAtOnce; claimed === callsAtOnce && !stopping.aborted; ) {
          const calls = await claimDueCalls(db, callsAtOnce, holdMs)
          await Promise.all(calls.map((call) => settle(call, stopping)))
          claimed = calls.length
        }
      },
      ...timing,
    }),
    createSchedule({
      name: "reservations that are over",
      pauseMs,
      round: async (stopping) => {
        const expired = await expireReservations({ db, now, logger, stopping })
        if (expired > 0) logger.info({ expired }, "orders cancelled because their reservation was over")
      },
      ...timing,
    }),
    createSchedule({
      name: "expired idempotency keys",
      pauseMs: purgePauseMs,
      round: async () => {
        const deleted = await purgeExpiredKeys(db, keyTtlHours)
        if (deleted > 0) logger.info({ deleted }, "expired idempotency keys deleted")
      },
      ...timing,
    }),
  ]
  return {
    stop: async () => {
      await Promise.all(schedules.map((schedule) => schedule.stop()))
    },
  }
}
