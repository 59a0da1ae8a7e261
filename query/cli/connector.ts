// `lockstep connector ..`: what captures the source. Registering and looking are operations of connectors/; a planned
// migration is judged from files alone, without a running stack.
import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { type Command, InvalidArgumentError } from "commander"
import { connectorsConfig } from "../../connectors/config.ts"
import { registerConnector } from "../../connectors/register.ts"
import { readCaptureStatus } from "../../connectors/status.ts"
import { orderProjections } from "../orders/projections.ts"
import { connectorSettings, describeCapture } from "../preflight/captured.ts"
import { preflight } from "../preflight/preflight.ts"
import { describePreflight } from "../preflight/report.ts"
import { describeRegistration, describeStatus } from "./connector-output.ts"
import { withExamples } from "./help.ts"
import { parseSettings } from "./settings.ts"

const settingsFile = fileURLToPath(new URL("../../connectors/orders.json", import.meta.url))

export function addConnectorCommands(program: Command): void {
  const connector = program.command("connector").description("the connector, which captures the source")
  const register = connector
    .command("register")
    .description("make the topics, register the connector and wait until it captures; safe to run again")
    .option("--dry-run", "say what would change, and change nothing")
    .option("--time-limit <seconds>", "how long the connector may take to come up", seconds, 120)
    .option("--json", "print the registration as JSON; progress goes to standard error")
    .action(runRegister)
  const registered = "0 the connector captures, 1 refused or failed, 2 wrong usage or settings."
  withExamples(
    register,
    ["npx lockstep connector register", "npx lockstep connector register --dry-run"],
    registered,
  )
  const status = connector
    .command("status")
    .description("show connector, task, slot, publication and offsets, and a next step for every fault")
    .option("--json", "print the status as JSON")
    .action(runStatus)
  const healthy = "0 healthy, 1 not healthy or not readable, 2 wrong usage or settings."
  withExamples(status, ["npx lockstep connector status"], healthy)
  const planned = connector
    .command("preflight")
    .argument("<migration.sql>", "a planned migration of the command database")
    .description("say what a planned migration will do to connector, registry, projector and cache")
    .option("--json", "print the findings as JSON")
    .option("--settings <file>", "the connector's settings", settingsFile)
    .action(runPreflight)
  const judged = "0 nothing halts, 1 not SQL or not readable, 2 wrong usage, 3 look before you run it."
  withExamples(planned, ["npx lockstep connector preflight migration.sql"], judged)
}

function seconds(value: string): number {
  const number = Number(value)
  if (Number.isFinite(number) && number > 0) return number
  throw new InvalidArgumentError("It must be a number of seconds above 0.")
}

async function runRegister(options: { dryRun?: boolean; timeLimit: number; json?: boolean }): Promise<void> {
  const registration = await registerConnector({
    ...parseSettings(connectorsConfig),
    dryRun: options.dryRun === true,
    timeLimitMs: options.timeLimit * 1000,
    onProgress: (message) => console.error(message),
  })
  console.log(options.json ? JSON.stringify(registration, null, 2) : describeRegistration(registration))
}

async function runStatus(options: { json?: boolean }): Promise<void> {
  const status = await readCaptureStatus(parseSettings(connectorsConfig))
  console.log(options.json ? JSON.stringify(status, bigintsAsText, 2) : describeStatus(status))
  process.exitCode = status.healthy ? 0 : 1
}

const bigintsAsText = (_: string, value: unknown) => (typeof value === "bigint" ? String(value) : value)

async function runPreflight(file: string, options: { json?: boolean; settings: string }): Promise<void> {
  const settings = connectorSettings.parse(JSON.parse(await readFile(options.settings, "utf8")))
  const sql = await readFile(file, "utf8")
  const result = await preflight(sql, describeCapture(settings, orderProjections))
  console.log(options.json ? JSON.stringify(result, null, 2) : describePreflight(file, result))
  process.exitCode = result.isRisky ? 3 : 0
}
