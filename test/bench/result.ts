// What an arm of the benchmark hands back, how a person sees it, and on what it was measured. An arm whose read
// models did not equal the source at the end has measured nothing, and throws instead.
import { readFileSync } from "node:fs"
import { cpus, loadavg, platform, release, totalmem } from "node:os"
import { z } from "zod"
import { projectDirectory } from "../stack/layout.ts"

const measureShape = z.object({ what: z.string(), value: z.number(), unit: z.string(), note: z.string() })
export const armResultShape = z.object({
  arm: z.string(),
  configuration: z.record(z.string(), z.unknown()),
  measures: z.array(measureShape),
  /** What was compared with what before the numbers were believed. */
  checked: z.string(),
  /** One-minute load of the machine before and after. */
  load: z.array(z.number()),
  samples: z.record(z.string(), z.unknown()),
})

export type Measure = z.infer<typeof measureShape>
export type ArmResult = z.infer<typeof armResultShape>

export const oneMinuteLoad = (): number => loadavg()[0] ?? Number.NaN

/** Lines of the table: what, value with unit, note. */
export const tableOf = (results: readonly ArmResult[]): string[] => {
  const rows = results.flatMap(({ measures }) => measures)
  const width = Math.max(...rows.map(({ what }) => what.length))
  const values = rows.map(({ value, unit }) => `${format(value)} ${unit}`)
  const valueWidth = Math.max(...values.map((value) => value.length))
  return rows.map(({ what, note }, index) =>
    `${what.padEnd(width)}  ${(values[index] ?? "").padStart(valueWidth)}  ${note}`.trimEnd(),
  )
}

const format = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toFixed(1)

/** The machine and the versions that the numbers belong to. */
export const describeMachine = (): { processors: number; node: string; [about: string]: unknown } => {
  const manifest = z
    .object({ version: z.string(), dependencies: z.record(z.string(), z.string()) })
    .parse(JSON.parse(readFileSync(`${projectDirectory}/package.json`, "utf8")))
  return {
    processors: cpus().length,
    processor: cpus()[0]?.model ?? "unknown",
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()}`,
    node: process.versions.node,
    lockstep: manifest.version,
    dependencies: manifest.dependencies,
  }
}
