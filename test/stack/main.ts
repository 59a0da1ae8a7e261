// The commands of a checkout by name. Returns the exit code; a fault is printed as one message, because a stack trace of
// this file helps nobody who wanted to start the system.
import { readSettings, type Settings } from "./settings.ts"

type Command = (settings: Settings, args: readonly string[]) => Promise<number>

// Each is loaded when it is asked for, so that looking at a stack does not wait for what only tests need.
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  start: async () => (await import("./commands/start.ts")).start,
  check: async () => (await import("./commands/check.ts")).check,
  dev: async () => (await import("./commands/dev.ts")).dev,
  test: async () => (await import("./commands/test.ts")).test,
  bench: async () => (await import("../bench/main.ts")).bench,
  demo: async () => (await import("../demo/main.ts")).demo,
  up: async () => (await import("./commands/up.ts")).up,
  down: async () => (await import("./commands/down.ts")).down,
  status: async () => (await import("./commands/status.ts")).status,
  logs: async () => (await import("./commands/logs.ts")).logs,
  env: async () => (await import("./commands/env.ts")).env,
  reset: async () => (await import("./commands/reset.ts")).reset,
}

/** Runs the command that the first argument names with the rest of the arguments. */
export async function main([name = "", ...args]: readonly string[]): Promise<number> {
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (load === undefined) {
    console.error(`No such stack command: "${name}". There are ${Object.keys(commands).join(", ")}.`)
    return 2
  }
  try {
    const command = await load()
    return await command(readSettings(), args)
  } catch (error) {
    console.error(error instanceof Error ? `\n${error.message}` : error)
    return 1
  }
}
