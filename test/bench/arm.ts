// Runs one arm of the benchmark in a process of its own, against the stack that STACK_ENDPOINTS names, and prints its
// result as JSON: `tsx test/bench/arm.ts latency [--quick] [--cpu-prof=<directory>]`. The last option leaves a
// processor profile of the query service there.
import { parseArgs } from "node:util"
import { measureApplyRate } from "./apply-rate.ts"
import { measureLatency } from "./latency.ts"

const arms = { latency: measureLatency, apply: measureApplyRate }

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: "boolean", default: false }, "cpu-prof": { type: "string" } },
})
const measure = Object.entries(arms).find(([name]) => name === positionals[0])?.[1]
if (measure === undefined) {
  console.error(`Name one arm: ${Object.keys(arms).join(" or ")}.`)
  process.exit(2)
}
const profile = values["cpu-prof"]
const nodeArguments = profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`]
console.log(JSON.stringify(await measure({ quick: values.quick, nodeArguments })))
