// `lockstep connector ..`: what feeds the read side. Needs no running stack: the connector's settings are read as the
// file that they are registered from.
import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import type { Command } from "commander"
import { orderProjections } from "../orders/projections.ts"
import { connectorSettings, describeCapture } from "../preflight/captured.ts"
import { preflight } from "../preflight/preflight.ts"
import { describePreflight } from "../preflight/report.ts"

const settingsFile = fileURLToPath(new URL("../../connectors/orders.json", import.meta.url))

export function addConnectorCommands(program: Command): void {
  program
    .command("connector")
    .description("what captures the source")
    .command("preflight")
    .argument("<migration.sql>", "a planned migration of the command database")
    .description("say what a planned migration will do to connector, registry, projector and cache")
    .option("--json", "print the findings as JSON")
    .option("--settings <file>", "the connector's settings", settingsFile)
    .addHelpText(
      "after",
      "\nExit codes: 0 nothing halts, 1 not SQL or not readable, 2 wrong usage, 3 look before you run it.",
    )
    .action(runPreflight)
}

async function runPreflight(file: string, options: { json?: boolean; settings: string }): Promise<void> {
  const settings = connectorSettings.parse(JSON.parse(await readFile(options.settings, "utf8")))
  const sql = await readFile(file, "utf8")
  const result = await preflight(sql, describeCapture(settings, orderProjections))
  console.log(options.json ? JSON.stringify(result, null, 2) : describePreflight(file, result))
  process.exitCode = result.isRisky ? 3 : 0
}
