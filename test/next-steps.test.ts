// A next step must be a command that exists. Every text of the project is searched for commands, and each command is
// looked up: a script in package.json, a noun with its verb and options in the program that `lockstep` is.
import { readFileSync } from "node:fs"
import { beforeAll, describe, expect, test } from "vitest"
import { z } from "zod"
import { createProgram } from "../query/cli/program.ts"
import { type Named, namedOperations, namedScripts, readTexts } from "./support/named-commands.ts"

const { scripts } = z
  .object({ scripts: z.record(z.string(), z.string()) })
  .parse(JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")))
const texts = readTexts()
const nouns = ["connector", "db", "dlq", "erasure", "projection", "stack"]
/** Options of each verb, by noun and verb. */
const verbs = new Map<string, string[]>()

beforeAll(async () => {
  const program = await createProgram()
  expect(program.commands.map((noun) => noun.name()).toSorted()).toEqual(nouns)
  for (const noun of program.commands) {
    for (const verb of noun.commands) {
      const options = verb.options.flatMap(({ short, long }) => [short ?? "", long ?? ""])
      verbs.set(`${noun.name()} ${verb.name()}`, [...options, "--help"])
    }
  }
})

/** Why a command cannot be typed; null when it can. `..` and `<verb>` stand for any verb, `list|show` for each. */
function faultOf([noun = "", verb = "", ...rest]: string[]): string | null {
  if (/^(\.\.|<noun>|--version|--help)$/.test(noun)) return null
  if (!nouns.includes(noun)) return `no noun ${noun}`
  if (/^(\.\.|<verb>|--help|)$/.test(verb)) return null
  const absentVerb = verb.split("|").find((name) => !verbs.has(`${noun} ${name}`))
  if (absentVerb !== undefined) return `no verb ${noun} ${absentVerb}`
  const options = verbs.get(`${noun} ${verb}`) ?? []
  const unknown = rest.map((word) => word.split("=")[0] ?? "").filter((word) => /^--?[a-z]/.test(word))
  const absent = unknown.find((word) => !options.includes(word))
  return absent === undefined ? null : `no option ${absent} of ${noun} ${verb}`
}

const faults = (named: Named[], fault: (words: string[]) => string | null): string[] =>
  named.flatMap(({ file, words }) => {
    const found = fault(words)
    return found === null ? [] : [`${file}: ${words.join(" ")}: ${found}`]
  })

describe("a command that a text names", () => {
  test("exists as a script of package.json", () => {
    const named = texts.flatMap(namedScripts)
    expect(named.length).toBeGreaterThan(20)
    const isScript = (name: string): boolean =>
      name.endsWith("*")
        ? Object.keys(scripts).some((script) => script.startsWith(name.slice(0, -1)))
        : name in scripts
    expect(faults(named, ([name = ""]) => (isScript(name) ? null : "no such script"))).toEqual([])
  })

  test("exists as a noun and a verb of lockstep, with its options", () => {
    const named = texts.flatMap((text) => namedOperations(text, nouns))
    expect(named.length).toBeGreaterThan(40)
    expect(faults(named, faultOf)).toEqual([])
  })

  test.each([
    { text: "see `npx lockstep dlq list`, then", words: ["dlq", "list"] },
    { text: "rebuild: npx lockstep projection rebuild. Nothing", words: ["projection", "rebuild"] },
    { text: "run --rm lockstep dlq redrive 17 --dry-run\n", words: ["dlq", "redrive", "17", "--dry-run"] },
    { text: "npx lockstep nothing", words: ["nothing"] },
  ])("is found in: $text", ({ text, words }) => {
    const [found] = namedOperations({ file: "x", text }, nouns)
    expect(found?.words.slice(0, words.length)).toEqual(words)
  })

  test.each([
    ["nothing", "no noun nothing"],
    ["projection rebuld", "no verb projection rebuld"],
    ["dlq list --nonsense", "no option --nonsense of dlq list"],
  ])("is told when it does not exist: %s", (words, fault) => {
    expect(faultOf(words.split(" "))).toBe(fault)
  })
})

test("a message names no npm script and no file to run: an image has neither", () => {
  const onlyInACheckout = ["query/lockstep.mjs", "query/cli/settings.ts"]
  const messages = texts.filter(
    ({ file }) => /^(command|connectors|db|query)\/.*\.m?ts$/.test(file) && !onlyInACheckout.includes(file),
  )
  expect(messages.length).toBeGreaterThan(250)
  const naming = messages.filter(({ text }) =>
    /\bnpm (run|start|ci|test)\b|\bnpx (?!lockstep )|\bnode dist\//.test(text),
  )
  expect(naming.map(({ file }) => file)).toEqual([])
})

test("a runbook and a message of the stack name an operation as npx lockstep, not by its short npm script", () => {
  const short = Object.entries(scripts).flatMap(([name, line]) =>
    name.startsWith("stack:") || line.includes("query/lockstep.mjs ") ? [name] : [],
  )
  expect(short).toContain("projection:rebuild")
  const speaking = texts.filter(({ file }) => /^(connectors|query)\/.*README\.md$|^test\/stack\//.test(file))
  expect(speaking.length).toBeGreaterThan(40)
  const named = speaking.flatMap(namedScripts).filter(({ words: [name = ""] }) => short.includes(name))
  expect(named).toEqual([])
})
