// Operations on the system: `lockstep <noun> <verb>`. Only the lease holder writes read models, so a verb that changes
// them leaves a request that the projector executes, and shows its progress.
import { CommanderError } from "commander"
import { reportFailure } from "./cli/failure.ts"
import { createProgram } from "./cli/program.ts"

const args = process.argv.slice(2)
try {
  const program = await createProgram(args[0])
  await program.parseAsync(args, { from: "user" })
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
  else process.exitCode = reportFailure(error, args.includes("--json"))
}
