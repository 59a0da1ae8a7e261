// Work that a service repeats while it runs: rounds with a pause in between. A failed round is logged, and the next
// round tries the work again. Every instance runs the rounds; the work itself takes care that nothing is done twice.
import { setTimeout as sleep } from "node:timers/promises"
import type { Logger } from "pino"

export type Schedule = { stop: () => Promise<void> }

/** Starts at once. `stop` aborts the signal of the round under way, and resolves when that round has ended. */
export function createSchedule(options: {
  /** Names the work in the log when a round has failed. */
  name: string
  pauseMs: number
  round: (stopping: AbortSignal) => Promise<void>
  random: () => number
  logger: Logger
}): Schedule {
  const { name, pauseMs, round, random, logger } = options
  const stopping = new AbortController()

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await round(stopping.signal)
      } catch (error) {
        logger.warn({ err: error, schedule: name }, "a round of scheduled work failed")
      }
      // Jitter keeps instances started together from working together.
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
