// Analytics by the clock of any zone equal what plain code counts by Intl from every order, over changes of daylight
// saving time at and around midnight, offsets of 45 minutes, and a day that a zone passed over.
import { describe, expect, test } from "vitest"
import { z } from "zod"
import { localDate, startOfDay } from "../../../query/orders/time-zone.ts"
import { deriveAll, insertOrder } from "../given/read-models.ts"
import { givenReadSide } from "../given/read-side.ts"

/** Each with days on which its clocks are changed. */
const zones: [zone: string, from: string, to: string][] = [
  ["UTC", "2025-03-29", "2025-04-01"],
  ["Europe/Berlin", "2025-03-28", "2025-04-01"],
  ["Europe/Berlin", "2025-10-25", "2025-10-28"],
  ["America/Havana", "2025-11-01", "2025-11-04"],
  ["America/Havana", "2025-03-08", "2025-03-11"],
  ["America/Sao_Paulo", "2018-02-16", "2018-02-20"],
  ["America/Sao_Paulo", "2018-11-02", "2018-11-06"],
  ["Asia/Beirut", "2024-03-29", "2024-04-02"],
  ["Asia/Kathmandu", "2025-06-01", "2025-06-04"],
  ["Pacific/Chatham", "2025-04-04", "2025-04-08"],
  ["Australia/Lord_Howe", "2025-04-04", "2025-04-08"],
  ["Pacific/Apia", "2011-12-28", "2012-01-02"],
]

const created: string[] = []

const { models, app } = givenReadSide("time_zones", async ({ db }) => {
  for (const day of new Set(zones.map(([, from]) => from))) {
    for (let quarter = -60; quarter < 450; quarter += 1 + (quarter & 3)) {
      created.push(
        new Date(Date.parse(`${day}T00:00:00Z`) + quarter * 900_000 + (quarter & 1) * 899_999).toISOString(),
      )
    }
  }
  for (const [n, createdAt] of created.entries()) {
    await insertOrder(db, { id: `o${n}`, createdAt, items: [["p", 1, 100n]], version: 0 })
  }
  await deriveAll(db)
})

const body = z.object({
  from: z.string(),
  to: z.string(),
  rows: z.array(z.object({ period: z.string(), start: z.string(), end: z.string(), orders: z.number() })),
})

const dayText = (zone: string, at: Date): string =>
  localDate(zone, at)
    .map((part) => String(part).padStart(2, "0"))
    .join("-")

test.each(zones)("days in %s from %s", async (zone, from, to) => {
  const bounds = [from, to].map((day) => {
    const [year = 0, month = 1, date = 1] = day.split("-").map(Number)
    return startOfDay(zone, [year, month, date])
  })
  const [first = new Date(), last = new Date()] = bounds
  const response = await app.get(
    `/analytics/orders?${new URLSearchParams({ period: "daily", time_zone: zone, from: first.toISOString(), to: last.toISOString(), currency: "USD" }).toString()}`,
  )
  expect(response.status).toBe(200)
  const { rows } = body.parse(await response.json())
  const expected = new Map<string, { start: number; orders: number }>()
  for (let at = first.getTime(); at < last.getTime(); at += 900_000) {
    const day = dayText(zone, new Date(at))
    const known = expected.get(day) ?? { start: at, orders: 0 }
    known.orders += created.filter((one) => Math.floor(Date.parse(one) / 900_000) * 900_000 === at).length
    expected.set(day, known)
  }
  const wanted = [...expected].map(([period, { start, orders }]) => ({ period, start, orders }))
  expect(rows.map(({ period, start, orders }) => ({ period, start: Date.parse(start), orders }))).toEqual(
    wanted,
  )
  expect(rows.map(({ end }) => Date.parse(end))).toEqual([
    ...wanted.slice(1).map(({ start }) => start),
    last.getTime(),
  ])
  expect(rows.reduce((sum, { orders }) => sum + orders, 0)).toBeGreaterThan(50)
})

describe("a time zone", () => {
  test("says where weeks and months begin that are shown by default", async () => {
    const read = async (period: string) =>
      body.parse(await (await app.get(`/analytics/orders?period=${period}&time_zone=Asia/Kathmandu`)).json())
    expect(await read("monthly")).toMatchObject({
      from: "2024-11-30T18:15:00.000000Z",
      to: "2025-11-30T18:15:00.000000Z",
    })
    expect(await read("weekly")).toMatchObject({ to: "2025-11-23T18:15:00.000000Z" })
    expect(await read("daily")).toMatchObject({ to: "2025-11-23T18:15:00.000000Z" })
  })

  test("begins its days where the database says, in every zone and at every change since 2016", async () => {
    const names = Intl.supportedValuesOf("timeZone").filter((name) => name.includes("/"))
    const days = ["2016-03-27", "2019-10-06", "2024-11-03", "2025-03-30", "2026-07-01"]
    const { rows } = await models.reader.query<{ zone: string; day: string; start: Date }>(
      `select zone, day::text as day,
         (select min(at) from generate_series(day::timestamp at time zone 'UTC' - interval '16 hours',
            day::timestamp at time zone 'UTC' + interval '14 hours', interval '15 minutes') at
          where (at at time zone zone)::date >= day) as start
       from unnest($1::text[]) zone, unnest($2::date[]) day`,
      [names, days],
    )
    expect(rows.length).toBe(names.length * days.length)
    const different = rows.filter(({ zone, day, start }) => {
      const [year = 0, month = 1, date = 1] = day.split("-").map(Number)
      return startOfDay(zone, [year, month, date]).getTime() !== start.getTime()
    })
    expect(different).toEqual([])
  })
})
