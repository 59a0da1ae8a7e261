// Deletes expired idempotency keys every few minutes while the service runs. A failed round is logged and
// left to the next one: a key kept too long does no harm.
import { setTimeout as sleep } from "node:timers/promises"
import type { Kysely } from "kysely"
import type { Logger } from "pino"
import type { CommandDatabase } from "../db/command-schema.ts"
import { purgeExpiredKeys } from "./idempotency.ts"

const pauseMs = 5 * 60_000

/** Starts purging at once; `stop` resolves when no round is under way. */
export function createKeyPurge(options: {
  db: Kysely<CommandDatabase>
  ttlHours: number
  random: () => number
  logger: Logger
}): { stop: () => Promise<void> } {
  const { db, ttlHours, random, logger } = options
  const stopping = new AbortController()

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        const deleted = await purgeExpiredKeys(db, ttlHours)
        if (deleted > 0) logger.info({ deleted }, "expired idempotency keys deleted")
      } catch (error) {
        logger.warn({ err: error }, "expired idempotency keys could not be deleted")
      }
      // Jitter keeps instances started together from purging together.
      await sleep(pauseMs * (0.5 + random()), undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  }

  const running = run()
  return {
    stop: () => {
      stopping.abort()
      return running
    },
  }
}
