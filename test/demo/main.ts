// `npm run demo -- [--orders=<n>] [--seed=<n>] [--json]`: a scripted day of business against the system that `npm start`
// runs, and afterwards the proof that every read model and every analytic equals SQL over the write tables. The exit
// code is 0 when all is equal, 1 on any difference or unexpected answer, 2 for wrong usage.
import { existsSync } from "node:fs"
import { parseArgs } from "node:util"
import { createPool } from "../../db/connect.ts"
import { stackDirectory } from "../stack/commands/start.ts"
import { readEndpointsFile } from "../stack/endpoints.ts"
import { endpointsFile } from "../stack/ownership.ts"
import type { Settings } from "../stack/settings.ts"
import { type DayReport, faultsOf, runDay } from "./run-day.ts"

const usualOrders = 3_000
const mostOrders = 1_000_000
const progressMs = 2_000

export const demo = async (settings: Settings, args: readonly string[]): Promise<number> => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      orders: { type: "string" },
      seed: { type: "string" },
      json: { type: "boolean", default: false },
    },
  })
  const orders = wholeNumber(values.orders, usualOrders)
  const seed = wholeNumber(values.seed, Date.now() % 2 ** 31)
  if (orders === undefined || seed === undefined || orders < 1 || orders > mostOrders) {
    console.error(`--orders takes a whole number from 1 to ${mostOrders}, --seed one that is not negative.`)
    return 2
  }
  const file = settings.STACK_ENDPOINTS ?? endpointsFile(stackDirectory)
  if (!existsSync(file)) {
    console.error("No system is running: start one with npm start, in another terminal, then repeat.")
    return 1
  }
  const { commandUrl, queryUrl, commandDatabaseUrl, queryDatabaseUrl } = readEndpointsFile(file)
  const source = createPool({ url: commandDatabaseUrl, applicationName: "lockstep-demo", maxConnections: 2 })
  const reads = createPool({ url: queryDatabaseUrl, applicationName: "lockstep-demo", maxConnections: 2 })
  const say = values.json ? console.error : console.log
  say(
    `A day with ${orders} orders, seed ${seed}: repeat it with npm run demo -- --orders=${orders} --seed=${seed}`,
  )
  let shown = performance.now()
  const began = performance.now()
  try {
    const report = await runDay({
      ...{ commandUrl, queryUrl, source, reads, orders, seed },
      sourceName: "orders",
      // A day can be lived again with the same seed: names must not meet those of the last time.
      prefix: `day${Date.now().toString(36)}`,
      onServed: (served) => {
        if (performance.now() - shown < progressMs && served < orders) return
        shown = performance.now()
        say(`  ${String(served).padStart(7)} of ${orders} orders  ${seconds(began)}`)
      },
      onCompare: () => say(`The day is over after ${seconds(began)}; comparing both sides ...`),
    })
    if (values.json) console.log(JSON.stringify(report, null, 2))
    print(report, say)
    return faultsOf(report).length === 0 ? 0 : 1
  } finally {
    await Promise.all([source.end(), reads.end()])
  }
}

const seconds = (began: number): string => `${((performance.now() - began) / 1_000).toFixed(1)} s`

function wholeNumber(text: string | undefined, otherwise: number): number | undefined {
  if (text === undefined) return otherwise
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined
}

function print(report: DayReport, say: (line: string) => void): void {
  say("\ncommands")
  for (const [name, outcomes] of Object.entries(report.commands).sort(([a], [b]) => a.localeCompare(b))) {
    const counts = Object.entries(outcomes).map(([outcome, count]) => `${outcome} ${count}`)
    say(`  ${name.padEnd(24)} ${counts.sort().join(", ")}`)
  }
  say("\ncompared with SQL over the write tables")
  for (const { what, rows, differences } of report.compared) {
    say(`  ${differences.length === 0 ? "equal " : "DIFFER"} ${String(rows).padStart(7)} rows  ${what}`)
    for (const difference of differences) say(`           ${difference}`)
  }
  if (report.surprises.length > 0) say(`\n${report.surprises.length} unexpected answers`)
  for (const surprise of report.surprises.slice(0, 10)) say(`  ${surprise}`)
  const faults = faultsOf(report).length
  say(faults === 0 ? "\nEverything is equal." : `\n${faults} faults.`)
}
