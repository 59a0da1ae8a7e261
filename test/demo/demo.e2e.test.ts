// A short day of business: every command is met, and both sides are equal afterwards.
import { expect, test } from "vitest"
import { z } from "zod"
import { givenSystem } from "../support/system.ts"
import { type DayOptions, faultsOf, runDay } from "./run-day.ts"

const system = givenSystem("demo")

const liveDay = (day: Pick<DayOptions, "orders" | "seed" | "prefix">) =>
  runDay({
    ...day,
    commandUrl: system.commandUrl,
    queryUrl: system.query.url(),
    source: system.source,
    reads: system.reads,
    sourceName: system.topicPrefix,
    onServed: () => {},
    onCompare: () => {},
  })

/** Every operation of the API that changes something. */
async function commandsOf(url: string): Promise<string[]> {
  const { paths } = z
    .object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) })
    .parse(await (await fetch(`${url}/openapi.json`)).json())
  return Object.entries(paths)
    .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`))
    .filter((operation) => !operation.startsWith("GET "))
    .map((operation) => operation.replace(/\{\w+\}/g, "{}"))
    .sort()
}

test("leaves read models and analytics that equal SQL over the write tables", async () => {
  const report = await liveDay({ orders: 150, seed: 20_251_123, prefix: "short" })
  expect(faultsOf(report)).toEqual([])
  expect(report.compared.length).toBeGreaterThan(20)
  expect(report.accepted).toEqual(await commandsOf(system.commandUrl))
  const met = Object.values(report.commands).flatMap((outcomes) => Object.keys(outcomes))
  expect(met).toEqual(
    expect.arrayContaining([
      "done",
      "insufficient-stock",
      "discount-not-applicable",
      "product-inactive",
      "version-mismatch",
      "price-mismatch",
      "payment-exceeds-total",
      "customer-has-open-orders",
    ]),
  )
})

test("finds a row that only one side has", async () => {
  await system.reads.query(`update ${await system.liveSchema()}.orders set total_minor = total_minor + 1
    where id = (select id from ${await system.liveSchema()}.orders order by id limit 1)`)
  const report = await liveDay({ orders: 1, seed: 1, prefix: "other" })
  expect(faultsOf(report).join()).toContain("table orders: not in the read model")
})
