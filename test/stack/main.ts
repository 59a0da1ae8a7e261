// The stack commands by name: start, test, bench, up, down, status, env, reset. Returns the exit code; prints what went
// wrong as one message, because a stack trace of this file helps nobody who wanted to start the system.
import { bench } from "../bench/main.ts"
import { down } from "./down.ts"
import { env } from "./env.ts"
import { reset } from "./reset.ts"
import { readSettings } from "./settings.ts"
import { start } from "./start.ts"
import { status } from "./status.ts"
import { test } from "./test.ts"
import { up } from "./up.ts"

const commands = { start, test, bench, up, down, status, env, reset }

const isCommand = (name: string): name is keyof typeof commands => Object.hasOwn(commands, name)

/** Runs the command that the first argument names with the rest of the arguments. */
export const main = async ([name = "", ...args]: readonly string[]): Promise<number> => {
  if (!isCommand(name)) {
    console.error(`No such stack command: "${name}". There are ${Object.keys(commands).join(", ")}.`)
    return 2
  }
  try {
    return await commands[name](readSettings(), args)
  } catch (error) {
    console.error(error instanceof Error ? `\n${error.message}` : error)
    return 1
  }
}
