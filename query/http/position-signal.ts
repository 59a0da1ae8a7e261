// Wakes reads that wait for a position. The projector notifies inside every apply transaction, so the sign comes
// with the commit; while anybody waits, the position is also polled, so a lost sign costs a tenth of a second.
// A sign says only "look again": what a read may answer is judged in its own statement.
import { setTimeout as sleep } from "node:timers/promises"
import pg from "pg"
import type { Logger } from "pino"
import { limitAnswers } from "../../db/half-open.ts"
import { positionChannel } from "../cdc/vocabulary/topics.ts"

export type PositionSignal = {
  start(): void
  /** Lets go of all that wait. To be called before the server stops, which waits for their answers. */
  stop(): Promise<void>
  /** How many signs there were. Take it before looking, so that no sign falls between looking and waiting. */
  count(): number
  /**
   * Resolves when there was a sign after `seen`, when the time is over, or when the reader has gone.
   * @returns false when waiting on is of no use because this service stops.
   */
  moved(seen: number, timeoutMs: number, gone: AbortSignal): Promise<boolean>
}

const pollMs = 100
const reconnectMs = { first: 100, last: 5_000 }
/** A connection that only listens would not notice that nothing can come any more. */
const probeMs = 5_000
const answerLimitMs = 5_000
/** A server that does not answer a goodbye is not waited for. */
const goodbyeMs = 500

export function createPositionSignal(options: {
  source: string
  /** A connection of its own, as role reader. */
  listen: pg.ClientConfig
  /** For polling. */
  pool: pg.Pool
  log: Logger
}): PositionSignal {
  const { source, pool, log } = options
  const waiting = new Set<() => void>()
  let signs = 0
  let client: pg.Client | null = null
  let timer: NodeJS.Timeout | null = null
  let poller: NodeJS.Timeout | null = null
  let prober: NodeJS.Timeout | null = null
  let listening: pg.Client | null = null
  let failures = 0
  let stopped = false

  function sign(): void {
    signs += 1
    for (const wake of [...waiting]) wake()
  }

  async function listen(): Promise<void> {
    const next = new pg.Client(options.listen)
    client = next
    limitAnswers(next, answerLimitMs)
    next.on("notification", ({ payload }) => {
      if (payload === source) sign()
    })
    next.on("error", (error) => {
      log.warn({ err: error }, "the connection that listens for positions broke; polling until it is back")
    })
    next.on("end", () => reconnect(next))
    try {
      await next.connect()
      await next.query(`listen ${positionChannel}`)
      failures = 0
      listening = next
      // Signs given while nobody listened are lost.
      sign()
    } catch (error) {
      log.warn({ err: error }, "cannot listen for positions; polling instead")
      await next.end().catch(() => {})
      reconnect(next)
    }
  }

  function reconnect(lost: pg.Client): void {
    if (client !== lost || stopped) return
    client = null
    listening = null
    const delay = Math.min(reconnectMs.last, reconnectMs.first * 2 ** failures++)
    timer = setTimeout(() => void listen(), delay).unref()
  }

  let polling = false
  let polled: string | undefined

  async function poll(): Promise<void> {
    if (polling) return
    polling = true
    try {
      const { rows } = await pool.query<{ state: string }>({
        name: "poll position",
        text: `select concat(s.live_generation, ':', p.position) as state from cdc.sources s
          left join cdc.progress p on p.source = s.source and p.generation = s.live_generation
          where s.source = $1`,
        values: [source],
      })
      if (rows[0]?.state !== polled) sign()
      polled = rows[0]?.state
    } catch (error) {
      log.debug({ err: error }, "polling the position failed")
    } finally {
      polling = false
    }
  }

  function pollWhileWaiting(): void {
    if (waiting.size > 0) poller ??= setInterval(() => void poll(), pollMs).unref()
    else if (poller) {
      clearInterval(poller)
      poller = null
    }
  }

  return {
    start() {
      prober = setInterval(() => void listening?.query("select 1").catch(() => {}), probeMs).unref()
      void listen()
    },

    async stop() {
      stopped = true
      if (timer) clearTimeout(timer)
      if (prober) clearInterval(prober)
      sign()
      const goodbye = client?.end().catch(() => {})
      await Promise.race([goodbye, sleep(goodbyeMs, undefined, { ref: false })])
    },

    count: () => signs,

    moved(seen, timeoutMs, gone) {
      if (signs !== seen || gone.aborted || stopped) return Promise.resolve(!stopped)
      return new Promise((resolve) => {
        const wake = () => {
          clearTimeout(timeout)
          gone.removeEventListener("abort", wake)
          waiting.delete(wake)
          pollWhileWaiting()
          resolve(!stopped)
        }
        const timeout = setTimeout(wake, timeoutMs)
        gone.addEventListener("abort", wake)
        waiting.add(wake)
        pollWhileWaiting()
      })
    },
  }
}
