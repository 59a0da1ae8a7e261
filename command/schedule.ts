// Work that a service repeats while it runs: rounds with a pause in between. A failed round is logged and left to the
// next one. Every instance runs it; the work itself sees to it that nothing is done twice.
import { setTimeout as sleep } from "node:timers/promises"
import type { Logger } from "pino"

export type Schedule = { stop: () => Promise<void> }

/** Starts at once; `stop` tells a round by its signal, and resolves when none is under way. */
export function createSchedule(options: {
  /** For the log: what could not be done. */
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
