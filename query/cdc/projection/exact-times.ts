// Part of step 2 (decode): turns Debezium's dates and times (numbers since 1970, or ISO text) into text that Postgres
// reads as exactly the same value. This holds over Postgres' whole range: 4714 BC to 5874897 for dates and to 294276
// for timestamps, with both infinities. JavaScript's Date has neither this range nor microseconds.
// https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-temporal-types

/** Postgres' first and last date, in days since 1970-01-01. */
const firstDay = -2_440_588
const lastDay = 2_145_042_905

const dayUs = 86_400_000_000n
const firstMoment = BigInt(firstDay) * dayUs
const lastLong = 2n ** 63n - 1n

/** A date from days since 1970. Debezium sends an infinity as a number beyond all dates that Postgres has. */
export function dateText(day: number): string {
  if (day > lastDay) return "infinity"
  if (day < firstDay) return "-infinity"
  const { year, rest } = civil(day)
  return year > 0 ? `${padded(year)}-${rest}` : `${padded(1 - year)}-${rest} BC`
}

/**
 * A timestamp without time zone from microseconds since 1970.
 * @throws RangeError for infinities and for the years after 294246: the connector may send one number for both.
 */
export function timestampText(us: bigint): string {
  if (us < firstMoment || us === lastLong) {
    throw new RangeError("a timestamp that is infinite or after the year 294246 is not sent exactly")
  }
  const day = us >= 0n ? us / dayUs : (us - dayUs + 1n) / dayUs
  const { year, rest } = civil(Number(day))
  const time = timeText(us - day * dayUs)
  return year > 0 ? `${padded(year)}-${rest} ${time}` : `${padded(1 - year)}-${rest} ${time} BC`
}

/** A time of day from microseconds; 24:00:00 is a time of day, as in Postgres. */
export function timeText(us: bigint): string {
  const seconds = us / 1_000_000n
  const parts = [seconds / 3_600n, (seconds / 60n) % 60n, seconds % 60n]
  const fraction = String(us % 1_000_000n).padStart(6, "0")
  return `${parts.map((part) => String(part).padStart(2, "0")).join(":")}.${fraction}`
}

/** A timestamp with time zone from ISO 8601 in UTC. ISO's year 0000 is 0001 BC in Postgres. */
export function timestamptzText(iso: string): string {
  if (iso.endsWith("infinity")) return iso
  const [, year, rest] = /^([+-]?\d{4,})(-\d\d-\d\dT[\d:.]+Z)$/.exec(iso) ?? []
  if (year === undefined || rest === undefined) throw new SyntaxError("a timestamp is not ISO 8601 in UTC")
  const number = Number(year)
  return number > 0 ? `${padded(number)}${rest}` : `${padded(1 - number)}${rest} BC`
}

const padded = (year: number): string => String(year).padStart(4, "0")

/** Year (0 is 1 BC), and month and day as text, of the proleptic Gregorian calendar that Postgres and Java use. */
function civil(day: number): { year: number; rest: string } {
  // http://howardhinnant.github.io/date_algorithms.html#civil_from_days: eras of 400 years that begin in March.
  const shifted = day + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1_460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  const dayOfMonth = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  return { year, rest: `${String(month).padStart(2, "0")}-${String(dayOfMonth).padStart(2, "0")}` }
}
