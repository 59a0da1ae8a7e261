// Which periods an analytics query covers. Periods are those of UTC: days begin at midnight, weeks on Monday
// (ISO 8601), months on the first.
import { ReadProblem } from "../http/problem.ts"

export const periods = {
  daily: { unit: "day", label: "YYYY-MM-DD", shown: 30, shortestMs: 86_400_000 },
  weekly: { unit: "week", label: 'IYYY-"W"IW', shown: 12, shortestMs: 7 * 86_400_000 },
  monthly: { unit: "month", label: "YYYY-MM", shown: 12, shortestMs: 28 * 86_400_000 },
} as const

export type Period = keyof typeof periods
/** From inclusive, to exclusive. */
export type Range = { from: Date; to: Date }

const bucketMs = 900_000
const mostPeriods = 1_000

/**
 * The range asked for. Without `to` it ends with the present period; without `from` it begins as many periods
 * earlier as are shown by default. Both must lie on a quarter of an hour, the finest that sales are kept by.
 * @throws ReadProblem otherwise.
 */
export function rangeOf(
  period: Period,
  asked: { from?: string | undefined; to?: string | undefined },
  now: Date,
): Range {
  const to = asked.to === undefined ? addPeriods(period, startOf(period, now), 1) : toBucket("to", asked.to)
  const from =
    asked.from === undefined
      ? addPeriods(period, startOf(period, new Date(to.getTime() - 1)), 1 - periods[period].shown)
      : toBucket("from", asked.from)
  if (from >= to) throw refuse("from", "must lie before `to`")
  if ((to.getTime() - from.getTime()) / periods[period].shortestMs > mostPeriods) {
    throw refuse("from", `lies more than ${mostPeriods} periods before \`to\``)
  }
  return { from, to }
}

function toBucket(parameter: string, moment: string): Date {
  const ms = Date.parse(moment)
  if (ms % bucketMs !== 0 || /\.\d*[1-9]/.test(moment)) {
    throw refuse(parameter, "must lie on a quarter of an hour")
  }
  return new Date(ms)
}

function startOf(period: Period, at: Date): Date {
  const [year, month, day] = [at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate()]
  switch (period) {
    case "daily":
      return new Date(Date.UTC(year, month, day))
    case "weekly":
      return new Date(Date.UTC(year, month, day - ((at.getUTCDay() + 6) % 7)))
    case "monthly":
      return new Date(Date.UTC(year, month, 1))
  }
}

function addPeriods(period: Period, start: Date, count: number): Date {
  const [year, month, day] = [start.getUTCFullYear(), start.getUTCMonth(), start.getUTCDate()]
  switch (period) {
    case "daily":
      return new Date(Date.UTC(year, month, day + count))
    case "weekly":
      return new Date(Date.UTC(year, month, day + 7 * count))
    case "monthly":
      return new Date(Date.UTC(year, month + count, day))
  }
}

const refuse = (parameter: string, detail: string): ReadProblem =>
  new ReadProblem("invalid-request", "The range of the analytics is not acceptable.", {
    errors: [{ parameter, detail }],
  })
