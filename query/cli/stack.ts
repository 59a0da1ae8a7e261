// `lockstep stack ..`: the stack that runs in this checkout. Its programs are in test/stack, which no image contains,
// so each verb runs them as a process of their own and ends with its exit code.
import { spawn } from "node:child_process"
import { once } from "node:events"
import type { Command } from "commander"
import { checkout } from "./checkout.ts"
import { positive, withExamples } from "./help.ts"

type Options = Record<string, number | boolean>

const exits = "0 done, 1 failed or not healthy, 2 wrong usage, 130 left with Ctrl-C."

export function addStackCommands(program: Command): void {
  const stack = program.command("stack").description("the stack of this checkout; an image has none")
  const add = (verb: string, description: string, ...examples: string[]): Command =>
    withExamples(stack.command(verb).description(description), examples, exits)

  add("up", "start the system in the background; return when it serves", "npx lockstep stack up") //
    .action(() => run("up"))
  add("down", "stop the system; the data stays", "npx lockstep stack down") //
    .action(() => run("down"))
  add("status", "list the parts: where they are, whether they answer", "npx lockstep stack status --json")
    .option("--json", "print the parts as JSON")
    .action((options: Options) => run("status", ...flags(options)))
  add(
    "logs",
    "print what the parts have logged",
    "npx lockstep stack logs",
    "npx lockstep stack logs query -f",
  )
    .argument("[part]", "one part, for example query; without it every part")
    .option("-f, --follow", "go on printing until Ctrl-C")
    .option("-n, --lines <n>", "begin with this many of each part's last lines", positive, 50)
    .action((part: string | undefined, options: Options) =>
      run("logs", ...(part === undefined ? [] : [part]), ...flags(options)),
    )
  add("reset", "remove the data of the stopped stack", "npx lockstep stack reset --yes")
    .option("--yes", "do not ask first")
    .action((options: Options) => run("reset", ...flags(options)))
  add("env", "print the settings of the running stack, with passwords", 'eval "$(npx lockstep stack env)"')
    .option("--json", "print them as JSON")
    .action((options: Options) => run("env", ...flags(options)))
}

/** `{ follow: true, lines: "5" }` as `--follow --lines=5`. */
const flags = (options: Options): string[] =>
  Object.entries(options).map(([name, value]) => (value === true ? `--${name}` : `--${name}=${value}`))

async function run(...args: string[]): Promise<void> {
  if (checkout === null) {
    throw new Error(
      "This is an image and has no stack: the parts of a system in containers are seen with docker compose ps and docker compose logs.",
    )
  }
  const program = spawn(process.execPath, ["test/stack/bootstrap.mjs", ...args], {
    cwd: checkout,
    stdio: "inherit",
  })
  // A Ctrl-C reaches the program too, and its exit code is the answer.
  const ignore = () => {}
  process.on("SIGINT", ignore)
  const terminate = () => void program.kill("SIGTERM")
  process.once("SIGTERM", terminate)
  await once(program, "exit")
  process.off("SIGINT", ignore)
  process.off("SIGTERM", terminate)
  process.exitCode = program.exitCode ?? 130
}
