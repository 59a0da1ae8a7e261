// The periods that an analytics query covers: days of a time zone begin at its midnight, weeks on Monday (ISO 8601),
// months on the first.
import { ReadProblem } from "../http/problem.ts"
import { type LocalDate, localDate, startOfDay } from "./time-zone.ts"

export const periods = {
  daily: { unit: "day", label: "YYYY-MM-DD", shown: 30, shortestMs: 86_400_000 },
  weekly: { unit: "week", label: 'IYYY-"W"IW', shown: 12, shortestMs: 7 * 86_400_000 },
  monthly: { unit: "month", label: "YYYY-MM", shown: 12, shortestMs: 28 * 86_400_000 },
} as const

export type Period = keyof typeof periods
/** `from` is inclusive, `to` is exclusive. */
export type Range = { from: Date; to: Date }

const bucketMs = 900_000
const mostPeriods = 1_000

/**
 * The range that a request asks for. Without `to` the range ends with the present period; without `from` it begins as
 * many periods earlier as are shown by default. Example: by default 30 days, the last of them today. Both must lie on a
 * quarter of an hour, the finest time by which sales are kept.
 * @throws ReadProblem otherwise.
 */
export function rangeOf(
  period: Period,
  zone: string,
  asked: { from?: string | undefined; to?: string | undefined },
  now: Date,
): Range {
  const to = asked.to === undefined ? startOf(period, zone, now, 1) : toBucket("to", asked.to)
  const from =
    asked.from === undefined
      ? startOf(period, zone, new Date(to.getTime() - 1), 1 - periods[period].shown)
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

/** The start of the period in which a moment lies, or of the period that is `later` periods later. */
export function startOf(period: Period, zone: string, at: Date, later = 0): Date {
  const [year, month, day] = localDate(zone, at)
  switch (period) {
    case "daily":
      return startOfDay(zone, calendarDate(year, month, day + later))
    case "weekly": {
      const daysAfterMonday = (new Date(Date.UTC(year, month - 1, day)).getUTCDay() + 6) % 7
      return startOfDay(zone, calendarDate(year, month, day - daysAfterMonday + 7 * later))
    }
    case "monthly":
      return startOfDay(zone, calendarDate(year, month + later, 1))
  }
}

function calendarDate(year: number, month: number, day: number): LocalDate {
  const date = new Date(Date.UTC(year, month - 1, day))
  return [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()]
}

const refuse = (parameter: string, detail: string): ReadProblem =>
  new ReadProblem("invalid-request", "The range of the analytics is not acceptable.", {
    errors: [{ parameter, detail }],
  })
