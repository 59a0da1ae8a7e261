// The whole demo against running services: a day of business, then the proof that the read side says what the write side
// holds. Schedules of the services (payments to resolve, reservations that expire) may write between two looks, so a
// difference counts when it is still there after the read side has caught up again.
import { setTimeout as pause } from "node:timers/promises"
import type pg from "pg"
import { createRandom } from "../support/random.ts"
import { createReadSide } from "../support/read-side.ts"
import { waitFor } from "../support/wait.ts"
import { compareAnswers } from "./compare-answers.ts"
import { type Comparison, compareModels } from "./compare-models.ts"
import { liveDay } from "./day.ts"
import { createTill, type Till } from "./till.ts"

export type DayReport = {
  seed: number
  orders: number
  /** Per command, how often it was answered how. */
  commands: Record<string, Record<string, number>>
  /** Operations that were accepted at least once, such as `POST /orders/{}/items`. */
  accepted: readonly string[]
  /** Answers that nobody reckoned with. */
  surprises: readonly string[]
  compared: readonly Comparison[]
}

export type DayOptions = {
  commandUrl: string
  queryUrl: string
  /** Superuser pools of both databases; only looked into. */
  source: pg.Pool
  reads: pg.Pool
  sourceName: string
  orders: number
  seed: number
  /** First part of every id of this day. */
  prefix: string
  onServed: (served: number) => void
  onCompare: () => void
}

const settleLimitMs = 180_000
const looks = 5
const betweenLooksMs = 2_000

/** @throws when a service does not answer; what it answers wrongly is in the report. */
export async function runDay(options: DayOptions): Promise<DayReport> {
  const { seed, orders, prefix, onServed } = options
  const till = createTill(options.commandUrl)
  await liveDay({ till, random: createRandom(seed), prefix, orders, onServed })
  await settled(options.source)
  options.onCompare()
  return {
    seed,
    orders,
    commands: Object.fromEntries([...till.tally].map(([name, counts]) => [name, Object.fromEntries(counts)])),
    accepted: [...till.accepted].sort(),
    surprises: till.surprises,
    compared: await compareAll(options, till),
  }
}

/** The exit code is 0 only if this is empty. */
export const faultsOf = ({ surprises, compared }: DayReport): string[] => [
  ...surprises,
  ...compared.flatMap(({ what, differences }) => differences.map((one) => `${what}: ${one}`)),
]

/** Waits until the payment provider's answers are all in: those that it kept to itself are asked for again. */
async function settled(source: pg.Pool): Promise<void> {
  await waitFor(
    async () => {
      const { rowCount } = await source.query(
        `select from payments where status in ('pending', 'unknown')
         union all select from refunds where status in ('pending', 'unknown') limit 1`,
      )
      return rowCount === 0
    },
    "every payment and refund has an outcome",
    settleLimitMs,
  )
}

async function compareAll(
  { source, reads, queryUrl, sourceName }: DayOptions,
  till: Till,
): Promise<Comparison[]> {
  const side = createReadSide({ name: sourceName, source, reads, logs: () => [] })
  const ask = async (path: string): Promise<unknown> => {
    const token = till.token()
    const headers = token === null ? {} : { "Consistency-Token": token, Prefer: "wait=30" }
    const response = await fetch(`${queryUrl}${path}`, { headers })
    if (!response.ok) throw new Error(`GET ${path} answered ${response.status}: ${await response.text()}`)
    return await response.json()
  }
  for (let look = 1; ; look++) {
    await side.caughtUp()
    const compared = [
      ...(await compareModels(source, reads, await side.liveSchema())),
      ...(await compareAnswers(source, ask)),
    ]
    if (look === looks || compared.every(({ differences }) => differences.length === 0)) return compared
    await pause(betweenLooksMs)
  }
}
