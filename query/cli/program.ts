// The nouns of `lockstep` as one program. A noun's code is loaded when the noun is asked for, so that
// `lockstep stack logs` does not wait for Kafka's client.
import { readFileSync } from "node:fs"
import { Command } from "commander"
import { z } from "zod"
import { projectDirectory } from "./checkout.ts"
import { exitCodes } from "./help.ts"

type AddCommands = (program: Command) => void

const nouns: Readonly<Record<string, () => Promise<AddCommands>>> = {
  connector: async () => (await import("./connector.ts")).addConnectorCommands,
  db: async () => (await import("./db.ts")).addDatabaseCommands,
  dlq: async () => (await import("./dlq.ts")).addDeadLetterCommands,
  erasure: async () => (await import("./erasure.ts")).addErasureCommands,
  projection: async () => (await import("./projection.ts")).addProjectionCommands,
  stack: async () => (await import("./stack.ts")).addStackCommands,
}

/**
 * The program, ready to parse arguments. It throws a CommanderError where it would end the process.
 * @param noun the first argument: if it is a noun, the program has no other.
 */
export async function createProgram(noun = ""): Promise<Command> {
  const program = new Command("lockstep")
    .description(
      "operations on the system: read models, dead letters, capture, databases, a checkout's stack",
    )
    .version(readVersion(), "--version", "print the version")
    .helpOption("-h, --help", "print this help")
    .exitOverride()
    .configureHelp({ sortSubcommands: true })
    .showHelpAfterError("(--help shows what can be said)")
    .addHelpText("after", `\nExample:\n  npx lockstep projection rebuild\n\nExit codes: ${exitCodes}`)
  const wanted = Object.entries(nouns).filter(([name]) => name === noun)
  for (const [, load] of wanted.length > 0 ? wanted : Object.entries(nouns)) (await load())(program)
  return program
}

function readVersion(): string {
  const text = readFileSync(new URL("package.json", projectDirectory), "utf8")
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version
}
