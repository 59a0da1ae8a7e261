// Days as the clocks of a zone show them. Sums are kept per quarter of an hour in UTC, and a quarter belongs to the day
// in which it begins. No zone has changed its offset inside a quarter since 2016.
import { z } from "@hono/zod-openapi"

/**
 * A name of the IANA time zone database. Names without a region (EST, CET) are refused: Postgres reads them as fixed
 * offsets.
 */
export const timeZone = z
  .string()
  .max(64)
  .refine((name) => name === "UTC" || (/^[A-Z]\w+(\/[\w+-]+)+$/.test(name) && isKnown(name)), {
    message: "must be UTC or a name of the IANA time zone database such as Europe/Berlin",
  })
  .default("UTC")
  .openapi({ type: "string", default: "UTC", example: "Europe/Berlin" })

function isKnown(name: string): boolean {
  try {
    localDate(name, new Date(0))
    return true
  } catch {
    return false
  }
}

/** Year, month (1 to 12) and day. */
export type LocalDate = readonly [year: number, month: number, day: number]

/** @throws RangeError when there is no such zone. */
export function localDate(zone: string, at: Date): LocalDate {
  if (zone === "UTC") return [at.getUTCFullYear(), at.getUTCMonth() + 1, at.getUTCDate()]
  const parts = formatOf(zone).formatToParts(at)
  const part = (type: string): number => Number(parts.find((one) => one.type === type)?.value)
  const year = part("year")
  const isBeforeChrist = parts.some((one) => one.type === "era" && one.value === "B")
  return [isBeforeChrist ? 1 - year : year, part("month"), part("day")]
}

const formats = new Map<string, Intl.DateTimeFormat>()

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone)
  if (known) return known
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    calendar: "gregory",
    era: "narrow",
    year: "numeric",
    month: "numeric",
    day: "numeric",
  })
  formats.set(timeZone, format)
  return format
}

const quarterMs = 900_000
const hourMs = 3_600_000

/** The first quarter of an hour of a day, or of the next day where the zone has passed over the day. */
export function startOfDay(zone: string, [year, month, day]: LocalDate): Date {
  const wanted = Date.UTC(year, month - 1, day)
  if (zone === "UTC") return new Date(wanted)
  // Offsets lie between -12 and +14 hours, and days never go back by more than an hour.
  let before = wanted - 16 * hourMs
  let from = wanted + 14 * hourMs
  while (from - before > quarterMs) {
    const middle = before + Math.floor((from - before) / 2 / quarterMs) * quarterMs
    const [y, m, d] = localDate(zone, new Date(middle))
    if (Date.UTC(y, m - 1, d) >= wanted) from = middle
    else before = middle
  }
  return new Date(from)
}
