// The command line itself: help with an example for every verb, the version, wrong usage told with exit code 2.
import type { Command } from "commander"
import { CommanderError } from "commander"
import { describe, expect, test } from "vitest"
import { createProgram } from "../../../query/cli/program.ts"

type Said = { code: number; out: string; err: string }

/** What the program says to these arguments, as far as it gets without doing anything. */
async function say(...args: string[]): Promise<Said> {
  const program = await createProgram(args[0])
  const said = { code: 0, out: "", err: "" }
  const listen = (command: Command): void => {
    command.configureOutput({
      writeOut: (text) => {
        said.out += text
      },
      writeErr: (text) => {
        said.err += text
      },
    })
    command.commands.forEach(listen)
  }
  listen(program)
  try {
    await program.parseAsync(args, { from: "user" })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    said.code = error.exitCode === 0 ? 0 : 2
  }
  return said
}

const program = await createProgram()
const verbs = program.commands.flatMap((noun) =>
  noun.commands.map((verb) => ({ words: `${noun.name()} ${verb.name()}`, verb })),
)

describe("help", () => {
  test.each(verbs)(
    "of $words has an example of the verb and its exit codes, and ends with 0",
    async ({ words }) => {
      const { code, out } = await say(...words.split(" "), "--help")
      expect(code).toBe(0)
      const examples = (out.split("Example:\n")[1] ?? "").split("\n\n")[0] ?? ""
      expect(examples).toContain(`npx lockstep ${words}`)
      expect(out).toMatch(/^Exit codes: 0 /m)
    },
  )

  test.each(program.commands.map((noun) => noun.name()))(
    "of %s lists its verbs and ends with 0",
    async (noun) => {
      const { code, out } = await say(noun, "--help")
      expect(code).toBe(0)
      for (const { words } of verbs.filter(({ words: w }) => w.startsWith(`${noun} `))) {
        expect(out).toContain(words.split(" ")[1])
      }
    },
  )

  test("of the program lists the nouns and the exit codes", async () => {
    const { code, out } = await say("--help")
    expect(code).toBe(0)
    for (const noun of program.commands) expect(out).toContain(noun.name())
    expect(out).toMatch(/^Exit codes: 0 done, 1 failed, 2 .*, 3 .*, 130 /m)
  })
})

test("--version prints the version and ends with 0", async () => {
  expect(await say("--version")).toEqual({ code: 0, out: "0.1.0\n", err: "" })
})

test("every verb that reports something can report it as JSON", () => {
  const without = verbs.filter(({ verb }) => !verb.options.some(({ long }) => long === "--json"))
  expect(without.map(({ words }) => words)).toEqual(["stack up", "stack down", "stack logs", "stack reset"])
})

describe("wrong usage ends with 2 and says what is wrong", () => {
  test.each([
    { args: [], says: /Usage: lockstep/ },
    { args: ["projection"], says: /rebuild/ },
    { args: ["projectoin", "rebuild"], says: /Did you mean projection\?/ },
    { args: ["projection", "rebuld"], says: /Did you mean rebuild\?/ },
    { args: ["connector", "preflight"], says: /missing required argument 'migration.sql'/ },
    { args: ["db", "migrate", "orders"], says: /too many arguments/ },
    { args: ["dlq", "list", "--nonsense"], says: /unknown option '--nonsense'/ },
    { args: ["dlq", "list", "--limit", "0"], says: /whole number above 0/ },
    { args: ["dlq", "list", "--state", "lost"], says: /Allowed choices are parked/ },
    { args: ["dlq", "show", "x"], says: /"x" is not the id of a dead letter/ },
    { args: ["dlq", "redrive"], says: /or say --all/ },
    { args: ["dlq", "redrive", "1", "--all"], says: /exclude each other/ },
    { args: ["dlq", "redrive", "1", "--reveal"], says: /--reveal belongs to --dry-run/ },
    { args: ["erasure", "report"], says: /missing required argument 'customer'/ },
    { args: ["connector", "register", "--time-limit", "soon"], says: /number of seconds above 0/ },
    { args: ["stack", "logs", "--lines", "many"], says: /whole number above 0/ },
  ])("$args", async ({ args, says }) => {
    const { code, out, err } = await say(...args)
    expect(code).toBe(2)
    expect(out).toBe("")
    expect(err).toMatch(says)
  })
})
