// `npm run bench -- [latency] [apply] [start] [--quick] [--json=<file>]`: measures the system and prints a small table;
// the file gets everything down to the raw samples. Brings up a stack of its own (beside a running one), or uses the one that
// STACK_ENDPOINTS names. A number counts only if the read models equalled the source afterwards: an arm that finds a
// difference fails, and so does the command.
import { spawn } from "node:child_process"
import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { endpointsOf, writeEndpoints } from "../stack/endpoints.ts"
import { createInfrastructure, kindOf } from "../stack/infrastructure.ts"
import { installParts } from "../stack/install.ts"
import { prepareLayout, projectDirectory } from "../stack/layout.ts"
import { runErrand } from "../stack/lifecycle.ts"
import { endpointsFile, takeOwnership } from "../stack/ownership.ts"
import { createProgress, type Progress } from "../stack/progress.ts"
import { inheritedEnvironment, type Settings } from "../stack/settings.ts"
import { type ArmResult, armResultShape, describeMachine, tableOf } from "./result.ts"
import { measureStartUp } from "./start-up.ts"

const directory = join(projectDirectory, ".stack-bench")
const armsOnStack = ["latency", "apply"] as const
const armNames = [...armsOnStack, "start"]

type Options = { quick: boolean; json?: string | undefined; arms: readonly string[] }

/** The exit code is 0 when every arm has measured, 1 when one failed, 2 for wrong usage, 130 after a signal. */
export const bench = async (settings: Settings, args: readonly string[]): Promise<number> => {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { quick: { type: "boolean", default: false }, json: { type: "string" } },
  })
  const unknown = positionals.filter((name) => !armNames.includes(name))
  if (unknown.length > 0) {
    console.error(`No such measurement: ${unknown.join(", ")}. There are ${armNames.join(", ")}.`)
    return 2
  }
  const options = { ...values, arms: positionals.length > 0 ? positionals : armNames }
  const progress = createProgress(console.log)
  const results: ArmResult[] = []
  const onStack = armsOnStack.filter((name) => options.arms.includes(name))
  let code = 0
  if (onStack.length > 0) code = await measureOnStack(settings, options, progress, onStack, results)
  if (code === 0 && options.arms.includes("start")) results.push(await measureStartUp(options, progress))
  print(options, results)
  return code
}

const print = (options: Options, results: readonly ArmResult[]): void => {
  const machine = describeMachine()
  if (options.json !== undefined) {
    const report = { measuredAt: new Date().toISOString(), machine, results }
    writeFileSync(options.json, `${JSON.stringify(report, null, 1)}\n`)
  }
  if (results.length === 0) return
  console.log(`\n${tableOf(results).join("\n")}`)
  for (const { arm, checked } of results) console.log(`checked (${arm}): ${checked}`)
  const loads = results.flatMap(({ load }) => load).map((load) => load.toFixed(1))
  console.log(
    `machine: ${machine.processors} processors, Node ${machine.node}; load around the arms: ${loads.join(" ")}`,
  )
}

/** Runs arms one after the other, each in a process of its own, on a stack that nothing else uses. */
const measureOnStack = async (
  settings: Settings,
  options: Options,
  progress: Progress,
  arms: readonly string[],
  results: ArmResult[],
): Promise<number> => {
  const measureAll = async (endpoints: string, signal: AbortSignal): Promise<number> => {
    for (const arm of arms) {
      results.push(await progress.step(arm, () => runArm(arm, options, endpoints, signal)))
    }
    return 0
  }
  if (settings.STACK_ENDPOINTS !== undefined) {
    return measureAll(settings.STACK_ENDPOINTS, new AbortController().signal)
  }
  const release = await takeOwnership(directory)
  try {
    const layout = await prepareLayout(directory, [settings.COMMAND_PORT, settings.QUERY_PORT])
    const infrastructure = createInfrastructure(kindOf(settings), layout)
    const work = async (signal: AbortSignal): Promise<number> => {
      if (infrastructure.kind === "native") await installParts(progress, signal)
      signal.throwIfAborted()
      await infrastructure.start(progress)
      signal.throwIfAborted()
      // The arms start services of their own.
      const none = { commandUrl: "", queryUrl: "", parts: [] }
      writeEndpoints(endpointsFile(directory), endpointsOf(infrastructure, directory, none))
      return measureAll(endpointsFile(directory), signal)
    }
    const stopAll = async () => {
      rmSync(endpointsFile(directory), { force: true })
      await infrastructure.stop()
    }
    const parts = Object.values(infrastructure.parts)
    return await runErrand({ directory, work, parts, stopAll, codeWhenTold: 130 })
  } finally {
    release()
  }
}

const runArm = (arm: string, options: Options, endpoints: string, signal: AbortSignal): Promise<ArmResult> =>
  new Promise((resolve, reject) => {
    const args = ["--import", "tsx", join(projectDirectory, "test/bench/arm.ts"), arm]
    const child = spawn(process.execPath, options.quick ? [...args, "--quick"] : args, {
      cwd: projectDirectory,
      env: { ...inheritedEnvironment(), STACK_ENDPOINTS: endpoints },
      stdio: ["ignore", "pipe", "inherit"],
      signal,
    })
    const said: string[] = []
    child.stdout.setEncoding("utf8").on("data", (text: string) => said.push(text))
    child.on("error", reject)
    child.on("close", (code) => {
      if (code === 0) resolve(armResultShape.parse(JSON.parse(said.join(""))))
      else reject(new Error(`The measurement "${arm}" failed; its own words are above.`))
    })
  })
