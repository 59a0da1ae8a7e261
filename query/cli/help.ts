// Parts that verbs have in common: the help ends with an example to type and the exit codes; counts are above 0.
import { type Command, InvalidArgumentError } from "commander"

/** The codes that every verb has. A verb that gives one of them a meaning of its own says so in its help. */
export const exitCodes =
  "0 done, 1 failed, 2 wrong usage or settings, 3 differences found, 130 left with Ctrl-C."

/** @param examples lines that can be typed. @param codes the verb's own exit codes, as a sentence. */
export function withExamples(command: Command, examples: readonly string[], codes = exitCodes): Command {
  const lines = examples.map((example) => `  ${example}`)
  return command.addHelpText("after", ["\nExample:", ...lines, `\nExit codes: ${codes}`].join("\n"))
}

/** Reads an option that is a count. */
export function positive(value: string): number {
  const number = Number(value)
  if (Number.isSafeInteger(number) && number > 0) return number
  throw new InvalidArgumentError("It must be a whole number above 0.")
}
