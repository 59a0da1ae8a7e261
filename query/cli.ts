// Operations on the read side: `lockstep <noun> <verb>`. Only the lease holder writes read models, so what changes
// them is a request that the projector executes; these programs show its progress. Exit codes: 0 done, 1 failed,
// 2 wrong usage, 3 differences found, 130 left alone (the request goes on; the same command again joins it).
import { Command, CommanderError } from "commander"
import { addConnectorCommands } from "./cli/connector.ts"
import { addDeadLetterCommands } from "./cli/dlq.ts"
import { addErasureCommands } from "./cli/erasure.ts"
import { addProjectionCommands } from "./cli/projection.ts"

const program = new Command("lockstep")
  .description("operations on the read side")
  .exitOverride()
  .configureHelp({ sortSubcommands: true })
addConnectorCommands(program)
addDeadLetterCommands(program)
addErasureCommands(program)
addProjectionCommands(program)

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
  else {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
